import type { Staged } from '../../../keys/key-record.ts';
import {
  byStage,
  currentOf,
  isPrunable,
  assertRoom,
  maySignFrom,
  nextOf,
  type SigningKey,
} from '../../../keys/stages.ts';
import { AdminError } from '../../errors.ts';
import type { Session } from '../session.ts';
import { dateTime, endTime, iso } from '../table.ts';
import type { Change } from '../verbs.ts';
import { changed, keysOf } from './keys.ts';

type Options = Readonly<Record<string, unknown>>;

/** `keys rotate` */
export async function rotatedKeys(session: Session, { now: atOnce }: Options): Promise<Change> {
  const { rotation, staged } = await keysOf(session);
  const { keys } = staged;
  assertRoom(keys);
  const [current, next] = [currentOf(keys), nextOf(keys)];
  const from = next && maySignFrom(next, session.config.jwksCacheSeconds);
  const isEarly = from !== undefined && from > session.now();
  if (isEarly && !atOnce) {
    throw new AdminError(
      'refused',
      `${next!.kid} may sign from ${endTime(from)} on: until then others may not know it, ` +
        'and refuse what it signs. --now rotates all the same.',
    );
  }
  // Who has fetched the JWKS before does not know the key, for as long as it may believe what it has.
  const breaks = isEarly ? { fetchedBefore: next!.createdAt, until: from } : undefined;
  const text = next
    ? [
        `${next.kid} signs from now on, and a new next key is published.`,
        ...(current ? [`${current.kid} retires; tokens that it signed remain valid.`] : []),
        ...(breaks ? [whatBreaks(breaks)] : []),
      ]
    : ['There is no next key. One is made and published; rotate again when others know it.'];
  return {
    plan: {
      text: text.join('\n'),
      json: {
        promotes: next?.kid ?? null,
        retires: next ? (current?.kid ?? null) : null,
        breaks: breaksJson(breaks),
      },
    },
    async apply() {
      const text = next ? 'Rotated.' : 'Published.';
      const { report, facts } = done(await changed(() => rotation.rotate(staged)), text);
      const said = breaks ? `${report.text}\n${whatBreaks(breaks)}` : report.text;
      return {
        report: { text: said, json: { ...report.json, breaks: breaksJson(breaks) } },
        facts,
      };
    },
  };
}

/** Epoch milliseconds. */
interface Breaks {
  readonly fetchedBefore: number;
  readonly until: number;
}

const whatBreaks = ({ fetchedBefore, until }: Breaks): string =>
  [
    `Whoever verifies our tokens with a JWKS that was fetched before ${dateTime(fetchedBefore)} refuses the new`,
    `ones until it fetches again, at the latest at ${endTime(until)}. This server itself knows the key.`,
  ].join('\n');

const breaksJson = (breaks: Breaks | undefined) =>
  breaks ? { fetchedBefore: iso(breaks.fetchedBefore), until: iso(breaks.until) } : null;

/** `keys retire KID` */
export async function retiredKey(session: Session, _: Options, kid: string): Promise<Change> {
  const { rotation, staged } = await keysOf(session);
  const key = staged.keys.find((each) => each.kid === kid);
  if (!key) throw new AdminError('not_found', `There is no key ${kid}; see \`keys list\`.`);
  const heir = key.state === 'current' ? nextOf(staged.keys) : undefined;
  return {
    plan: {
      text: [`${kid} (${key.state}) leaves the JWKS for good.`, ...consequences(key, heir)].join(
        '\n',
      ),
      json: { retires: kid, state: key.state, promotes: heir?.kid ?? null },
    },
    apply: async () =>
      done(await changed(() => rotation.retire(staged, kid)), `${kid} is gone.`, { retired: kid }),
  };
}

function consequences({ state }: SigningKey, heir: SigningKey | undefined): string[] {
  if (state === 'next') return ['It has signed nothing. A new next key is published.'];
  const refused = [
    'Within a second every instance refuses the access tokens that it signed. Clients get new ones with their refresh',
    'tokens, by themselves; nobody has to sign in again. Whoever verifies elsewhere refuses them once its copy of the',
    'JWKS is renewed.',
  ];
  if (state === 'retired') return refused;
  return [
    ...refused,
    `${heir?.kid ?? 'A new key'} signs from now on; who has not fetched the JWKS since it was published fetches it then.`,
  ];
}

/** `keys prune [KID]` */
export async function prunedKeys(session: Session, _: Options, kid?: string): Promise<Change> {
  const { rotation, staged } = await keysOf(session);
  const { keys } = staged;
  const now = session.now();
  if (kid !== undefined) assertPrunable(keys, kid, now);
  const going = keys.filter((key) => isPrunable(key, now) && (kid ?? key.kid) === key.kid);
  const kids = going.map((key) => key.kid);
  const kept = keys.filter((key) => key.state === 'retired' && !kids.includes(key.kid));
  const stays = kept.map((key) => `${key.kid} stays: ${whyKept(key, now)}.`);
  const goes = kids.map((each) => `${each} goes: every token that it signed has expired.`);
  return {
    plan: {
      text: [...goes, ...stays].join('\n') || 'There are no retired keys.',
      json: { prunes: kids, keeps: kept.map((key) => key.kid) },
    },
    nothing: kids.length === 0 ? done(staged, '', { pruned: [] }).report.json : undefined,
    apply: async () =>
      done(await changed(() => rotation.prune(staged, kids)), `Gone: ${kids.join(', ')}.`, {
        pruned: kids,
      }),
  };
}

function assertPrunable(keys: readonly SigningKey[], kid: string, now: number): void {
  const key = keys.find((each) => each.kid === kid);
  if (!key) throw new AdminError('not_found', `There is no key ${kid}; see \`keys list\`.`);
  if (isPrunable(key, now)) return;
  const leaked = 'If it leaked, `keys retire` removes it at once.';
  throw new AdminError('refused', `${kid} stays: ${whyKept(key, now)}. ${leaked}`);
}

function whyKept({ state, neededUntil, ...key }: SigningKey, now: number): string {
  if (state !== 'retired') return `it is the ${state} one`;
  if (neededUntil === undefined) return 'nobody knows until when it is needed';
  if (isPrunable({ state, neededUntil, ...key }, now)) return 'it was not asked for';
  return `tokens that it signed may be valid until ${endTime(neededUntil)}`;
}

/** @param gone the keys that the command was about, which are in no other list any more */
function done({ keys }: Staged, text: string, gone: { retired?: string; pruned?: string[] } = {}) {
  const [current, next] = [currentOf(keys), nextOf(keys)];
  const kids = byStage(keys).map(({ kid }) => kid);
  return {
    report: {
      text: `${text} ${current?.kid} signs, ${next?.kid} is next. Every instance follows within a second.`,
      json: { current: current?.kid ?? null, next: next?.kid ?? null, kids, ...gone },
    },
    facts: { kids, ...gone },
  };
}
