import * as z from 'zod';
import { READ } from '../../resource.ts';
import * as argument from './arguments.ts';
import { accessibleCompanies, type Company, folded } from './company.ts';
import { formatId, type RecordId } from './records/ids.ts';
import { linkOf } from './records/links.ts';
import { listOf } from './records/lists.ts';
import { pathOf } from './path.ts';
import { plain } from './plain.ts';
import { defineTool, READS, type Structured, type ToolContext } from './tool.ts';

/** In how many companies items and warehouses are looked for: two calls to NeonPanel each. */
const MAX_COMPANIES = 10;
const COMPANIES_AT_ONCE = 4;
/** Of each kind in each company; NeonPanel has no smaller pages. */
const PER_LIST = 10;
const MAX_RESULTS = 50;

interface Result {
  readonly id: string;
  readonly title: string;
  readonly url: string;
}

/**
 * With `fetch` one of the two tools that ChatGPT's deep research and company knowledge know by name, in the form that
 * they ask for.
 */
export const search = defineTool({
  name: 'search',
  title: 'Search NeonPanel',
  status: { invoking: 'Searching NeonPanel…', invoked: 'Search finished' },
  description: [
    'Finds companies, inventory items, warehouses and reports by part of their name or code (SKU, ASIN,',
    'FNSKU) over all companies of the user. Each result has a title, a link and the id that fetch takes.',
    'Give the words to look for, not a question: they are looked for as they stand.',
    'Begin with the name of a company to search that one alone; otherwise items and warehouses are looked',
    `for in the first ${MAX_COMPANIES} companies.`,
    'For figures and for complete lists use the other tools.',
  ].join(' '),
  scope: READ,
  annotations: READS,
  input: z.strictObject({ query: argument.searchText.describe('A name, part of one, or a code') }),
  output: z.looseObject({
    results: z.array(z.looseObject({ id: z.string(), title: z.string(), url: z.string() })),
  }),
  async run({ query }, context) {
    const companies = await accessibleCompanies(context);
    const named = companies.find((company) => wordsAfter(company, query) !== undefined);
    const words = named ? wordsAfter(named, query)! : query;
    const among = named ? [named] : companies.slice(0, MAX_COMPANIES);
    context.noteCompanies?.(among.map(({ uuid }) => uuid));

    const found = named ? [named] : companies.filter((company) => isCalled(company, words));
    const results = found.map(({ uuid, name }) =>
      resultOf({ kind: 'company', company: uuid }, name, context),
    );
    if (words !== '') {
      results.push(...(await reports(words, context)));
      for (let i = 0; i < among.length; i += COMPANIES_AT_ONCE) {
        const some = among.slice(i, i + COMPANIES_AT_ONCE);
        const inEach = await Promise.all(some.map((company) => inCompany(company, words, context)));
        results.push(...inEach.flat());
      }
    }
    return { results: results.slice(0, MAX_RESULTS) };
  },
});

/** What a query says besides the name of a company that it begins with. */
function wordsAfter({ name, shortName }: Company, query: string): string | undefined {
  const said = folded(query);
  for (const start of [name, shortName].map(folded)) {
    if (start !== '' && said === start) return '';
    if (start !== '' && said.startsWith(`${start} `)) return said.slice(start.length).trim();
  }
  return undefined;
}

const isCalled = ({ name, shortName }: Company, words: string): boolean =>
  [name, shortName].some((text) => folded(text).includes(folded(words)));

async function reports(words: string, context: ToolContext): Promise<Result[]> {
  const all = await listOf(context, pathOf('reports'));
  return all
    .filter(({ title, group }) => folded(`${group} ${title}`).includes(folded(words)))
    .map((report) =>
      resultOf(
        { kind: 'report', report: String(report['id']) },
        `Report ${text(report['title'])} (${text(report['group'])})`,
        context,
        report,
      ),
    );
}

async function inCompany(company: Company, words: string, context: ToolContext) {
  const path = pathOf('companies', company.uuid);
  const query = { search: words, page: 1, per_page: PER_LIST };
  const [items, warehouses] = await Promise.all([
    listOf(context, path + pathOf('inventory-items'), query),
    listOf(context, path + pathOf('warehouses'), query),
  ]);
  return [
    ...items.map((item) =>
      resultOf(
        { kind: 'item', company: company.uuid, item: String(item['id']) },
        `${text(item['name'])} (SKU ${text(item['sku'])}, ${text(item['country_code'])}), ${company.name}`,
        context,
      ),
    ),
    ...warehouses.map((warehouse) =>
      resultOf(
        { kind: 'warehouse', company: company.uuid, warehouse: String(warehouse['uuid']) },
        `Warehouse ${text(warehouse['name'])} (${text(warehouse['type'])}, ${text(warehouse['country_code'])}), ${company.name}`,
        context,
      ),
    ),
  ];
}

const resultOf = (
  id: RecordId,
  title: string,
  { webUrl }: ToolContext,
  record?: Structured,
): Result => ({ id: formatId(id), title: plain(title, 200), url: linkOf(id, webUrl, record) });

const text = (value: unknown): string => (typeof value === 'string' ? value : 'unknown');
