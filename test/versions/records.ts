import { sealedKindOf, sealedPart, withSealedPart } from '../../adapters/sealed-kinds.ts';
import { createSecrets } from '../../adapters/secrets.ts';
import { openIfPossible } from '../../adapters/secrets.ts';
import type { Fixture, StoredRow } from './fixture.ts';

/** Records as data: what is sealed in them is opened, so that it can be compared, changed, and sealed again. */

export type Content = unknown;
type Rows = readonly Pick<StoredRow, 'tag' | 'kind' | 'value'>[];

const secretsOf = (masterKey: string) =>
  createSecrets([new Uint8Array(Buffer.from(masterKey, 'base64url'))]);

/** The sealed part of a record, opened; undefined if it has none. */
async function openPart(masterKey: string, rows: Rows, row: Rows[number]) {
  const kind = sealedKindOf(row);
  const sealed = kind && sealedPart(kind, row.value);
  if (!kind || !sealed?.startsWith('{')) return undefined;
  const beside = Object.fromEntries(
    rows.filter(({ tag }) => tag === row.tag).map((other) => [other.kind, other.value]),
  );
  for (const context of kind.contexts(row.tag, beside)) {
    const content = await openIfPossible(secretsOf(masterKey), sealed, context);
    if (content !== undefined) return { kind, context, content };
  }
  throw new Error(`${row.kind} of ${row.tag} can't be opened`);
}

/** What a record says, its sealed part in the clear under `(sealed)`. */
export async function contentOf(
  masterKey: string,
  rows: Rows,
  row: Rows[number],
): Promise<Content> {
  const opened = await openPart(masterKey, rows, row);
  if (!opened) return plain(row.value);
  const around = opened.kind.member === undefined ? {} : (plain(row.value) as object);
  return { ...around, '(sealed)': opened.content };
}

/** The same store with every JSON in it changed, also where it is sealed. */
export async function changed(
  fixture: Fixture,
  change: (content: Content, kind: string) => Content,
): Promise<Fixture> {
  const { records: rows, masterKey } = fixture;
  const records: StoredRow[] = [];
  for (const row of rows) {
    const opened = await openPart(masterKey, rows, row);
    let { value } = row;
    if (opened?.kind.member !== undefined || !opened) {
      const content = plain(value);
      if (typeof content === 'object') value = JSON.stringify(change(content, row.kind));
    }
    if (opened) {
      const content = change(opened.content, row.kind);
      const sealed = await secretsOf(masterKey).seal(content, opened.context);
      value = withSealedPart(opened.kind, value, sealed);
    }
    records.push({ ...row, value });
  }
  return { ...fixture, records };
}

const plain = (value: string): unknown => (/^[{[]/.test(value) ? JSON.parse(value) : value);

/** Every path in it, with the type of what is there: `payload.exp: number`. Members of lists count as one. */
export function shapeOf(content: Content, path = ''): string[] {
  if (Array.isArray(content)) {
    return [`${path}: list`, ...new Set(content.flatMap((each) => shapeOf(each, `${path}[]`)))];
  }
  if (typeof content === 'object' && content !== null) {
    return Object.entries(content).flatMap(([name, value]) =>
      shapeOf(value, path ? `${path}.${name}` : name),
    );
  }
  return [`${path}: ${content === null ? 'null' : typeof content}`];
}
