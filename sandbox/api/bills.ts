import { isDay } from '../data/calendar.ts';
import { invalid } from '../errors.ts';

/** What a bill may contain. Invented: NeonPanel documents its payload through this operation only. */
export const billInstructions = {
  attributes: {
    name: 'Title of the bill. Optional.',
    ref_number: "The vendor's invoice number. Required.",
    date: 'Date of the bill, YYYY-MM-DD. Optional; not before the entry locked date.',
    market: 'Marketplace, two-letter country code. Optional.',
    currency: 'Currency, ISO 4217. Optional; the company currency unless given.',
    vendor_id: 'Id of the vendor. Optional.',
    payment_term_id: 'Id of the payment term. Optional.',
    documents:
      'Documents the bill belongs to: list of {type, id}, type being InventoryOrder, AssemblyOrder, Shipment or Invoice. Optional.',
    details:
      'Lines of the bill: list of {service_id, quantity, rate}, quantity being at least 1. Optional.',
  },
  general:
    'Sandbox: invented instructions. Send one bill per request, amounts without currency signs, and never guess an id.',
};

/** The same for callers that want plain text. */
export function instructionsText(): string {
  const lines = Object.entries(billInstructions.attributes).map(
    ([name, text]) => `${name}: ${text}`,
  );
  return `${billInstructions.general}\n\n${lines.join('\n')}\n`;
}

type Complain = (field: string, message: string) => void;

const relatedTypes = ['InventoryOrder', 'AssemblyOrder', 'Shipment', 'Invoice'];

/** Checks the payload of a bill; every complaint comes in one 422. */
export function checkBill(data: Record<string, unknown>) {
  const errors: Record<string, string[]> = {};
  const complain: Complain = (field, message) => void (errors[field] ??= []).push(message);
  const { ref_number, date = null, name, market, currency, vendor_id, payment_term_id } = data;

  if (ref_number === undefined || ref_number === null || ref_number === '') {
    complain('ref_number', 'The ref number field is required.');
  } else if (typeof ref_number !== 'string' || ref_number.length > 255) {
    complain('ref_number', 'The ref number field must be a string of at most 255 characters.');
  }
  if (date !== null && !(typeof date === 'string' && isDay(date))) {
    complain('date', 'The date field must match the format Y-m-d.');
  }
  const given = (value: unknown) => value !== undefined && value !== null;
  if (given(name) && typeof name !== 'string') complain('name', 'The name field must be a string.');
  if (given(market) && !hasLength(market, 2)) {
    complain('market', 'The market field must be 2 characters.');
  }
  if (given(currency) && !hasLength(currency, 3)) {
    complain('currency', 'The currency field must be 3 characters.');
  }
  for (const [field, value] of Object.entries({ vendor_id, payment_term_id })) {
    if (given(value) && !Number.isInteger(value)) {
      complain(field, `The ${field.replaceAll('_', ' ')} field must be an integer.`);
    }
  }
  checkRows('documents', data.documents, complain, (at, row) => {
    if (!relatedTypes.includes(String(row.type))) {
      complain(`${at}.type`, `The selected ${at}.type is invalid.`);
    }
    if (!Number.isInteger(row.id)) complain(`${at}.id`, `The ${at}.id field must be an integer.`);
  });
  checkRows('details', data.details, complain, (at, row) => {
    if (!Number.isInteger(row.service_id)) {
      complain(`${at}.service_id`, `The ${at}.service_id field must be an integer.`);
    }
    if (!Number.isInteger(row.quantity) || Number(row.quantity) < 1) {
      complain(`${at}.quantity`, `The ${at}.quantity field must be at least 1.`);
    }
    if (typeof row.rate !== 'number') {
      complain(`${at}.rate`, `The ${at}.rate field must be a number.`);
    }
  });
  if (Object.keys(errors).length > 0) throw invalid(errors);
  return { refNumber: String(ref_number), date: date === null ? null : String(date) };
}

const rowsMax = 500;

function checkRows(
  field: string,
  value: unknown,
  complain: Complain,
  check: (at: string, row: Record<string, unknown>) => void,
): void {
  if (value === undefined || value === null) return;
  if (!Array.isArray(value) || value.length > rowsMax) {
    return complain(field, `The ${field} field must be a list of at most ${rowsMax} entries.`);
  }
  for (const [index, row] of value.entries()) check(`${field}.${index}`, Object(row));
}

function hasLength(value: unknown, length: number): boolean {
  return typeof value === 'string' && value.length === length;
}
