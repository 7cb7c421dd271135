/**
 * Rows as aligned columns, for people.
 *
 * @param empty what is said when there are no rows
 */
export function table(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  empty: string,
): string {
  if (rows.length === 0) return empty;
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i]!.length)));
  return [head, ...rows]
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** `2026-11-26 14:05`, UTC. @param ms epoch milliseconds */
export const dateTime = (ms: number): string =>
  new Date(ms).toISOString().slice(0, 16).replace('T', ' ');

/** The same for what is over by then: never a minute too early. */
export const endTime = (ms: number): string => dateTime(ms + 59_999);

/** ISO 8601, for JSON; null where there is no such time. @param ms epoch milliseconds */
export const iso = (ms: number | undefined): string | null =>
  ms === undefined ? null : new Date(ms).toISOString();

/** `1 grant`, `2 grants` */
export const counted = (count: number, one: string): string =>
  `${count} ${one}${count === 1 ? '' : 's'}`;

/** Members one below the other, for people: `clientId` is `client id`. */
export const lines = (members: object): string =>
  Object.entries(members)
    .map(([name, value]) => `  ${inWords(name).padEnd(20)}${[value].flat().join(' ')}`)
    .join('\n');

const inWords = (name: string) => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
