import * as z from 'zod';
import { READ } from '../../resource.ts';
import * as argument from './arguments.ts';
import { accessibleCompanies, type Company, folded } from './company.ts';
import { formatId, type RecordId } from './records/ids.ts';
import { linkOf } from './records/links.ts';
import { listOf } from './records/lists.ts';
import { besides, matching, type Sought, soughtBy, wordsOf } from './records/query.ts';
import { pathOf } from './path.ts';
import { plain } from './plain.ts';
import { defineTool, READS, type Structured, type ToolContext } from './tool.ts';

/**
 * In how many companies items and warehouses are looked for: four calls to NeonPanel each at most, two for the phrase
 * and, where it finds nothing, two for a word of it.
 */
const MAX_COMPANIES = 10;
const COMPANIES_AT_ONCE = 4;
/** Of each kind in each company; NeonPanel has no smaller pages. */
const PER_LIST = 10;
/** What one word finds, before it is held against the others: NeonPanel has no larger pages. */
const PER_WORD = 60;
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
    'Give the words of a name: they are looked for as they stand and, where that finds nothing, in any',
    'order, without those that only ask. Begin with the name of a company to search that one alone;',
    `otherwise items and warehouses are looked for in the first ${MAX_COMPANIES} companies.`,
    'For figures and for complete lists use the other tools.',
  ].join(' '),
  scope: READ,
  annotations: READS,
  input: z.strictObject({ query: argument.searchText.describe('A name, part of one, or a code') }),
  output: z.looseObject({
    results: z.array(z.looseObject({ id: z.string(), title: z.string(), url: z.string() })),
  }),
  async run({ query }, context) {
    const words = wordsOf(query);
    const companies = await accessibleCompanies(context);
    const { named, rest } = companyIn(words, companies);
    const isAlone = named !== undefined && rest.length > 0;
    const others = companies.filter((company) => company !== named);
    const sought = soughtBy(isAlone ? rest : words);
    if (!sought) return { results: [] };
    const among = isAlone
      ? [named]
      : [...(named ? [named] : []), ...others].slice(0, MAX_COMPANIES);
    context.noteCompanies?.(among.map(({ uuid }) => uuid));

    const called = isAlone ? [] : matching(others, sought, namesOf);
    const results = [...(named ? [named] : []), ...called].map(({ uuid, name }) =>
      resultOf({ kind: 'company', company: uuid }, name, context),
    );
    results.push(...(await reports(sought, context)));
    for (let i = 0; i < among.length; i += COMPANIES_AT_ONCE) {
      const some = among.slice(i, i + COMPANIES_AT_ONCE);
      const inEach = await Promise.all(some.map((company) => inCompany(company, sought, context)));
      results.push(...inEach.flat());
    }
    return { results: results.slice(0, MAX_RESULTS) };
  },
});

/** The company that a query names, the one of the longest name, and what it says besides. */
function companyIn(words: readonly string[], companies: readonly Company[]) {
  const named = companies.flatMap((company) =>
    [company.name, company.shortName].flatMap((name) => {
      const rest = besides(name, words);
      return rest === undefined ? [] : [{ named: company, rest }];
    }),
  );
  const [first] = named.toSorted((a, b) => a.rest.length - b.rest.length);
  return first ?? { named: undefined, rest: words };
}

const namesOf = ({ name, shortName }: Company): string => `${name} ${shortName}`;

async function reports(sought: Sought, context: ToolContext): Promise<Result[]> {
  const all = await listOf(context, pathOf('reports'));
  const textOf = (report: Structured) =>
    ['report', report['group'], report['title'], report['description']].join(' ');
  return matching(all, sought, textOf).map((report) =>
    resultOf(
      { kind: 'report', report: String(report['id']) },
      `Report ${text(report['title'])} (${text(report['group'])})`,
      context,
      report,
    ),
  );
}

async function inCompany(company: Company, sought: Sought, context: ToolContext) {
  const path = pathOf('companies', company.uuid);
  const [items, warehouses] = await Promise.all([
    found(path + pathOf('inventory-items'), sought, itemText, context),
    found(path + pathOf('warehouses'), sought, warehouseText, context),
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

/** NeonPanel looks for a text as it stands. So a question, or a name in another order, is looked for by a word of it. */
async function found(
  path: string,
  sought: Sought,
  textOf: (record: Structured) => string,
  context: ToolContext,
): Promise<Structured[]> {
  const { phrase, word } = sought;
  const records = await listOf(context, path, { search: phrase, page: 1, per_page: PER_LIST });
  if (records.length > 0 || folded(phrase) === word) return records;
  const some = await listOf(context, path, { search: word, page: 1, per_page: PER_WORD });
  return matching(some, sought, textOf).slice(0, PER_LIST);
}

const itemText = (item: Structured): string =>
  ['item product', item['name'], item['sku'], item['asin'], item['fnsku'], item['id']].join(' ');

const warehouseText = ({ name, type }: Structured): string => ['warehouse', name, type].join(' ');

const resultOf = (
  id: RecordId,
  title: string,
  { webUrl }: ToolContext,
  record?: Structured,
): Result => ({ id: formatId(id), title: plain(title, 200), url: linkOf(id, webUrl, record) });

const text = (value: unknown): string => (typeof value === 'string' ? value : 'unknown');
