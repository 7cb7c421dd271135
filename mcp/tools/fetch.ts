import * as z from 'zod';
import { isMiss } from '../../adapters/neonpanel/neonpanel.ts';
import { READ } from '../../resource.ts';
import { isObject } from '../json-text.ts';
import { structured } from './answer.ts';
import { accessibleCompanies } from './company.ts';
import { balancesOf } from './inventory.ts';
import { pathOf } from './path.ts';
import { plain } from './plain.ts';
import { formatId, parseId, type RecordId, unknownRecord } from './records/ids.ts';
import { linkOf } from './records/links.ts';
import { listOf } from './records/lists.ts';
import { textOf } from './records/text.ts';
import { defineTool, READS, type Structured, type ToolContext } from './tool.ts';

/** A warehouse is looked for on so many pages of the list. */
const MAX_PAGES = 10;
const PER_PAGE = 60;

/** What a record is called, and everything that there is to say about it. */
interface Found {
  readonly title: string;
  readonly content: Structured;
}

export const fetch = defineTool({
  name: 'fetch',
  title: 'Fetch a record found by search',
  status: { invoking: 'Reading the record…', invoked: 'Record read' },
  description: [
    'Returns what NeonPanel knows about one result of search, as text with a title and a link: of a company',
    'its currency and time zone, of an item its stock in every warehouse and its restock data, of a',
    'warehouse the first 60 items in it with their balances, of a report its description and its sheets.',
    'Null or "unknown" means that NeonPanel does not know, not zero.',
    'For costs, COGS and revenue use the other tools.',
  ].join(' '),
  scope: READ,
  annotations: READS,
  input: z.strictObject({ id: z.string().min(1).max(200).describe('id of a result of search') }),
  output: z.looseObject({
    id: z.string(),
    title: z.string(),
    text: z.string(),
    url: z.string(),
    metadata: z.looseObject({ kind: z.string() }),
  }),
  async run({ id: text }, context) {
    const id = parseId(text);
    const { title, content } = await find(id, context).catch(orUnknown);
    return {
      id: formatId(id),
      title: plain(title, 200),
      text: textOf(content),
      url: linkOf(id, context.webUrl, content),
      metadata: { kind: id.kind, ...('company' in id && { company_uuid: id.company }) },
    };
  },
});

/** NeonPanel's 403 and 404 are told by the id that was given, and it came from `search`. */
function orUnknown(error: unknown): never {
  throw isMiss(error) ? unknownRecord(error) : error;
}

function find(id: RecordId, context: ToolContext): Promise<Found> {
  switch (id.kind) {
    case 'company':
      return company(id.company, context);
    case 'item':
      return item(id.company, id.item, context);
    case 'warehouse':
      return warehouse(id.company, id.warehouse, context);
    case 'report':
      return report(id.report, context);
  }
}

async function company(uuid: string, context: ToolContext): Promise<Found> {
  const found = (await accessibleCompanies(context)).find((known) => known.uuid === uuid);
  if (!found) throw unknownRecord();
  context.noteCompanies?.([uuid]);
  return { title: found.name, content: found.record };
}

async function item(company: string, id: string, context: ToolContext): Promise<Found> {
  context.noteCompanies?.([company]);
  const path = pathOf('companies', company, 'inventory-items', id);
  const content = structured(await balancesOf(context.neonpanel, path, {}));
  const { name, sku } = isObject(content['inventory']) ? content['inventory'] : {};
  return { title: `${name ?? 'Item'} (SKU ${sku ?? 'unknown'})`, content };
}

async function warehouse(company: string, uuid: string, context: ToolContext): Promise<Found> {
  context.noteCompanies?.([company]);
  const warehouses = pathOf('companies', company, 'warehouses');
  const balances = await context.neonpanel.get(warehouses + pathOf(uuid, 'balances'), {
    page: 1,
    per_page: PER_PAGE,
  });
  const about = await warehouseIn(warehouses, uuid, context);
  const title = `Warehouse ${about?.['name'] ?? 'without a name'}`;
  return { title, content: { warehouse: about ?? { uuid }, ...structured(balances) } };
}

/** NeonPanel has no address for one warehouse, only the list. */
async function warehouseIn(path: string, uuid: string, context: ToolContext) {
  for (let page = 1; page <= MAX_PAGES; page++) {
    const some = await listOf(context, path, { page, per_page: PER_PAGE });
    const found = some.find((each) => each['uuid'] === uuid);
    if (found || some.length < PER_PAGE) return found;
  }
  return undefined;
}

async function report(id: string, { neonpanel }: ToolContext): Promise<Found> {
  const content = structured(await neonpanel.get(pathOf('reports', id)));
  return { title: `Report ${content['title'] ?? id}`, content };
}
