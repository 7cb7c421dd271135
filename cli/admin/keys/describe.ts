import {
  byStage,
  firstUseOf,
  isPrunable,
  maySignFrom,
  type SigningKey,
} from '../../../keys/stages.ts';
import { dateTime, endTime, iso, table } from '../table.ts';
import type { Report } from '../verbs.ts';

/** One line per key. Seconds matter nowhere: all of it is about hours and days. */
export function describeKeys(
  keys: readonly SigningKey[],
  { jwksCacheSeconds }: { jwksCacheSeconds: number },
  now: number,
): Report {
  const ordered = byStage(keys.toSorted((a, b) => b.createdAt - a.createdAt));
  const head = ['STATE', 'KID', 'CREATED', 'FIRST USE', 'LAST USE', 'NEEDED UNTIL'];
  const rows = ordered.map((key) => {
    const first = firstUseOf(key);
    return [
      key.state,
      key.kid,
      dateTime(key.createdAt),
      first === undefined ? `from ${endTime(maySignFrom(key, jwksCacheSeconds))}` : dateTime(first),
      lastUse(key),
      need(key, now),
    ];
  });
  return {
    text: `${table(head, rows, '')}\n\nTimes are UTC. A retired key is needed until the last token it signed has expired.`,
    json: { keys: ordered.map((key) => members(key, jwksCacheSeconds, now)) },
  };
}

function lastUse({ state, retiredAt }: SigningKey): string {
  if (state === 'current') return 'now';
  return retiredAt === undefined ? '-' : dateTime(retiredAt);
}

function need(key: SigningKey, now: number): string {
  if (key.state === 'next') return 'it is the next one';
  if (key.state === 'current') return 'it is replaced';
  if (isPrunable(key, now)) return 'no longer: prune';
  return key.neededUntil === undefined ? 'unknown' : endTime(key.neededUntil);
}

/** Times as ISO 8601; null where there is none. */
function members(key: SigningKey, jwksCacheSeconds: number, now: number) {
  const { kid, state, createdAt, retiredAt, neededUntil } = key;
  const isNext = state === 'next';
  return {
    kid,
    state,
    createdAt: iso(createdAt),
    maySignFrom: isNext ? iso(maySignFrom(key, jwksCacheSeconds)) : null,
    firstUsedAt: iso(firstUseOf(key)),
    lastUsedAt: state === 'current' ? iso(now) : iso(retiredAt),
    neededUntil: iso(neededUntil),
    isNeeded: !isPrunable(key, now),
  };
}
