import type { VaultCount } from '../../../adapters/sealed-records.ts';
import { table } from '../table.ts';
import type { Report } from '../verbs.ts';

/** What is known of one master key. */
interface Standing {
  readonly id: string;
  /** Its place in MASTER_KEYS, from 1; undefined if it is not listed. */
  readonly place: number | undefined;
  readonly records: number;
  readonly byKind: ReadonlyMap<string, number>;
  /** Connections whose newest refresh token was made with it. */
  readonly refreshTokens: number;
}

/** @param masterKeyIds those listed, in their order */
export function describeVault(count: VaultCount, masterKeyIds: readonly string[]): Report {
  const standings = standingsOf(count, masterKeyIds);
  const unknown = count.refreshTokens.get(undefined) ?? 0;
  const rows = standings.map(({ id, place, records, refreshTokens }) => [
    id,
    place === undefined ? 'not listed' : place === 1 ? '1, seals' : `${place}, opens`,
    String(records),
    String(refreshTokens),
  ]);
  const head = ['MASTER KEY', 'PLACE', 'SEALED RECORDS', 'REFRESH TOKENS'];
  const verdicts = standings.map((standing) => verdict(standing, unknown));
  const kinds = standings.flatMap(({ id, byKind }) =>
    [...byKind].map(([name, number]) => `  ${id}: ${number} ${name}`),
  );
  return {
    text: [table(head, rows, ''), ...kinds, '', ...verdicts].join('\n'),
    json: {
      masterKeys: standings.map((standing) => ({
        id: standing.id,
        place: standing.place ?? null,
        sealed: Object.fromEntries(standing.byKind),
        sealedRecords: standing.records,
        refreshTokens: standing.refreshTokens,
        canGo: canGo(standing, unknown),
      })),
      refreshTokensOfUnknownKey: unknown,
    },
    failed: standings.some(({ place, records }) => place === undefined && records > 0),
  };
}

function standingsOf({ sealed, refreshTokens }: VaultCount, listed: readonly string[]): Standing[] {
  const ids = new Set([...listed, ...sealed.keys(), ...refreshTokens.keys()]);
  return [...ids].flatMap((id) => {
    if (id === undefined) return [];
    const byKind = sealed.get(id) ?? new Map<string, number>();
    const records = [...byKind.values()].reduce((sum, number) => sum + number, 0);
    const place = listed.includes(id) ? listed.indexOf(id) + 1 : undefined;
    return [{ id, place, records, byKind, refreshTokens: refreshTokens.get(id) ?? 0 }];
  });
}

const canGo = ({ place, records, refreshTokens }: Standing, unknown: number): boolean =>
  place !== undefined && place > 1 && records + refreshTokens + unknown === 0;

function verdict(standing: Standing, unknown: number): string {
  const { id, place, records, refreshTokens } = standing;
  if (place === undefined) {
    return `${id} is not in MASTER_KEYS: what it sealed (${records} records) counts as absent, and its refresh tokens (${refreshTokens}) are refused.`;
  }
  if (place === 1) return `${id} stays: it seals.`;
  if (canGo(standing, unknown)) {
    return `${id} can go, 15 minutes after the last instance was started with another key first: cookies and forms of sign-ins under way are made with the first key, and can't be counted.`;
  }
  const reasons = [
    ...(records > 0 ? [`${records} records are sealed under it: \`vault rekey\``] : []),
    ...(refreshTokens > 0
      ? [`${refreshTokens} connections hold a refresh token that was made with it`]
      : []),
    ...(unknown > 0
      ? [`${unknown} connections hold one of an older version, made with any of the keys`]
      : []),
  ];
  const tokens = refreshTokens + unknown;
  const end =
    tokens > 0
      ? ' A connection moves to the first key when it is next used; one that is not used before the key goes has to sign in again.'
      : '';
  return `${id} can't go yet: ${reasons.join('; ')}.${end}`;
}
