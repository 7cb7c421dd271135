import { isoDay } from '../data/calendar.ts';
import type { Books, Company, Document, Invoice } from '../data/model.ts';
import { amount } from '../data/money.ts';
import { forbidden } from '../errors.ts';
import type { Call } from './operation.ts';
import { bucketOf, periodicities, type Periodicity } from './periods.ts';
import { readPeriod, type Query } from './query.ts';

type Row = {
  start_date: string;
  end_date: string;
  revenueCents: number;
  cogsCents: number;
  currency: string;
  company: Company | null;
  country_code: string | null;
  invoice: Document | null;
};

const groupings = ['company', 'country', 'invoice'];

/**
 * GET /revenue-and-cogs: the invoices of a period, summed by whatever is asked for. Currencies are never
 * added to one another: a group whose invoices have two of them makes two rows.
 */
export function getRevenueAndCogs(call: Call) {
  const { query } = call;
  const { start, end } = readPeriod(query, isoDay(call.now()));
  const periodicity = readPeriodicity(query);
  const grouping = readGrouping(query);
  const countries = readCountries(query);
  const { uuids, books } = readCompanies(call);
  query.done();

  const rows = new Map<string, Row>();
  for (const { company, invoices } of books) {
    for (const invoice of invoices) {
      const { date, country } = invoice;
      if (date < start || date > end) continue;
      if (countries.length > 0 && !countries.includes(country)) continue;
      const [start_date, end_date] = bucketOf(date, periodicity, start, end);
      const row = {
        start_date,
        end_date,
        revenueCents: 0,
        cogsCents: 0,
        currency: company.currency,
        company: grouping.includes('company') ? company : null,
        country_code: grouping.includes('country') ? country : null,
        invoice: grouping.includes('invoice') ? invoice.document : null,
      };
      addTo(rows, row, invoice);
    }
  }
  const data = [...rows.values()].sort((a, b) =>
    a.start_date < b.start_date ? -1 : Number(a.start_date > b.start_date),
  );
  return {
    filters: {
      company_uuids: uuids,
      country_codes: countries,
      periodicity,
      grouping,
      start_date: start,
      end_date: end,
    },
    data: data.map(({ start_date, end_date, revenueCents, cogsCents, ...group }) => ({
      start_date,
      end_date,
      revenue_amount: amount(revenueCents),
      cogs_amount: amount(cogsCents),
      ...group,
    })),
  };
}

function addTo(rows: Map<string, Row>, empty: Row, { revenueCents, cogsCents }: Invoice): void {
  const { start_date, currency, company, country_code, invoice } = empty;
  const key = [start_date, currency, company?.uuid, country_code, invoice?.link].join(' ');
  const row = rows.get(key) ?? empty;
  row.revenueCents += revenueCents;
  row.cogsCents += cogsCents;
  rows.set(key, row);
}

function readPeriodicity(query: Query): Periodicity {
  const value = query.text('periodicity') ?? 'total';
  const known = periodicities.find((name) => name === value);
  if (!known) query.fail('periodicity', 'The selected periodicity is invalid.');
  return known ?? 'total';
}

function readGrouping(query: Query): string[] {
  const values = query.list('grouping');
  for (const [index, value] of values.entries()) {
    const field = `grouping.${index}`;
    if (!groupings.includes(value)) query.fail(field, `The selected ${field} is invalid.`);
  }
  return values.length > 0 ? [...new Set(values)] : ['company'];
}

function readCountries(query: Query): string[] {
  const values = query.list('country_codes').map((code) => code.toUpperCase());
  for (const [index, value] of values.entries()) {
    const field = `country_codes.${index}`;
    if (value.length !== 2) query.fail(field, `The ${field} field must be 2 characters.`);
  }
  return values;
}

/** All companies of the user, or those asked for: 403 for somebody else's, 422 for none at all. */
function readCompanies({ query, data, books }: Call): { uuids: string[]; books: Books[] } {
  const uuids = query.list('company_uuids');
  for (const [index, uuid] of uuids.entries()) {
    const known = data.books.find(({ company }) => company.uuid === uuid);
    const field = `company_uuids.${index}`;
    if (!known) query.fail(field, `The selected ${field} is invalid.`);
    else if (!books.includes(known)) throw forbidden();
  }
  const wanted = books.filter(({ company }) => uuids.length === 0 || uuids.includes(company.uuid));
  return { uuids, books: wanted };
}
