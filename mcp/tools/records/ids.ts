import { Refusal } from '../../../errors.ts';

/**
 * Ids by which `search` names what it found and `fetch` finds it again. Made of NeonPanel's own ids and nothing else, so
 * they mean the same tomorrow, to every instance, and to every user who may see the record.
 */
export type RecordId =
  | { readonly kind: 'company'; readonly company: string }
  | { readonly kind: 'item'; readonly company: string; readonly item: string }
  | { readonly kind: 'warehouse'; readonly company: string; readonly warehouse: string }
  | { readonly kind: 'report'; readonly report: string };

export function formatId(id: RecordId): string {
  switch (id.kind) {
    case 'company':
      return `company:${id.company}`;
    case 'item':
      return `item:${id.company}:${id.item}`;
    case 'warehouse':
      return `warehouse:${id.company}:${id.warehouse}`;
    case 'report':
      return `report:${id.report}`;
  }
}

const FORM = /^(company|item|warehouse|report):([\w-]{1,64})(?::([\w-]{1,64}))?$/;

/** @throws Refusal for what `search` never returns */
export function parseId(text: string): RecordId {
  const [, kind, first = '', second] = FORM.exec(text) ?? [];
  if (second === undefined) {
    if (kind === 'company') return { kind, company: first };
    if (kind === 'report' && /^\d+$/.test(first)) return { kind, report: first };
  } else {
    if (kind === 'item' && /^\d+$/.test(second)) return { kind, company: first, item: second };
    if (kind === 'warehouse') return { kind, company: first, warehouse: second };
  }
  throw unknownRecord();
}

/** The one sentence of `fetch` about a record that the user has not, whoever says so. */
export const unknownRecord = (cause?: unknown): Refusal =>
  new Refusal(
    'unknown_id',
    404,
    'The signed-in NeonPanel user has no such record. Search again, and take the id from a result.',
    { cause },
  );
