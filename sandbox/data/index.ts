/**
 * The invented world of the sandbox: two users, four companies, and for each company books that add up.
 * One seed makes one world. A company is generated from its plan: items (items.ts), the life of each
 * item (plans.ts says what is special, ledger.ts plays it), and the invoices that gather the sales of a
 * marketplace and a day. Every figure the API gives is a sum over these ledgers; nothing is made up a
 * second time, so figures from different operations agree to the cent.
 */
import { period } from './calendar.ts';
import { companyPlans, type CompanyPlan } from './companies.ts';
import { createDesk } from './documents.ts';
import { createItems } from './items.ts';
import { playLedger } from './ledger.ts';
import type { Books, Document, Invoice, User } from './model.ts';
import { planLedger } from './plans.ts';
import { createRandom } from './random.ts';
import { users } from './users.ts';

export type SandboxData = {
  period: { start: string; end: string };
  users: User[];
  books: Books[];
};

let latest: { seed: number; data: SandboxData } | undefined;

/** Generates the world. The same seed gives the same world; the latest one is kept, nobody changes it. */
export function createData(seed = 1): SandboxData {
  if (latest?.seed !== seed) {
    const books = companyPlans.map((plan) => createBooks(plan, seed));
    latest = { seed, data: { period, users, books } };
  }
  return latest.data;
}

function createBooks(plan: CompanyPlan, seed: number): Books {
  const { company, lockedUntil, permissions, warehouses } = plan;
  const desk = createDesk(company);
  const drafts = new Map<string, Invoice>();
  const invoiceFor = (country: string, date: string) => {
    const key = `${date} ${country}`;
    const invoice = drafts.get(key) ?? draftInvoice(country, date);
    drafts.set(key, invoice);
    return invoice;
  };
  const ledgers = createItems(plan, seed).map((item, index) => {
    const random = createRandom(seed, `ledger ${item.id}`);
    return playLedger(item, planLedger(plan, item, index, random), desk, invoiceFor, random);
  });
  const invoices = [...drafts.keys()].sort().map((key) => drafts.get(key)!);
  for (const invoice of invoices) invoice.document = desk('Invoice', invoice.date);
  return { company, lockedUntil, permissions, warehouses, ledgers, invoices };
}

/** An invoice gets its document, and with it its number, when all invoices of the company are known. */
function draftInvoice(country: string, date: string): Invoice {
  return { document: unnumbered, date, country, revenueCents: 0, cogsCents: 0 };
}

const unnumbered: Document = {
  type: 'Invoice',
  link: '',
  status: 'Draft',
  completed: null,
  ref_number: null,
  date: null,
};
