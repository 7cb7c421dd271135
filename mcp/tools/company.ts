import { NeonpanelError } from '../../adapters/neonpanel/neonpanel.ts';
import { Refusal } from '../../errors.ts';
import { isObject } from '../json-text.ts';
import { structured } from './answer.ts';
import { pathOf } from './path.ts';
import { plain } from './plain.ts';
import type { Structured, ToolContext } from './tool.ts';

/** How people name a company: what listCompanies shows, whichever part of it. */
type CompanyName = string | number;

export interface Company {
  readonly uuid: string;
  readonly id: string;
  readonly name: string;
  readonly shortName: string;
  /** As NeonPanel lists it. */
  readonly record: Structured;
}

/** 40 hex digits, or anything that looks like a UUID: taken as it is, without a look-up. */
const UUID = /^(?:[0-9a-f]{40}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/i;
const MAX_PAGES = 20;
const PER_PAGE = 60;
const MAX_CANDIDATES = 25;

/**
 * The uuid of the company that is meant by a uuid, numeric id, name or short name (any case, otherwise exact).
 *
 * @throws Refusal that lists the candidates when none or several match
 */
export async function resolveCompany(name: CompanyName, context: ToolContext): Promise<string> {
  const [uuid] = await resolveCompanies([name], context);
  return uuid!;
}

/** The same for several; the list of companies is read at most once, and not at all when only uuids are given. */
export async function resolveCompanies(
  names: readonly CompanyName[],
  context: ToolContext,
): Promise<string[]> {
  const given = names.map(String);
  const companies = given.every((name) => UUID.test(name))
    ? []
    : await accessibleCompanies(context);
  const uuids = given.map((name) =>
    UUID.test(name) ? name.toLowerCase() : uuidOf(name, companies),
  );
  const distinct = [...new Set(uuids)];
  context.noteCompanies?.(distinct);
  return distinct;
}

/**
 * Why a call for a company given by uuid came back with 403 or 404: if the user has no such company, the candidates are
 * what helps. A uuid is not looked up before the call, so it is looked up after it.
 *
 * @param args of the tool that failed
 * @returns undefined if the company is not to blame
 */
export async function companyMiss(
  args: { companyUuid?: unknown },
  context: ToolContext,
): Promise<Refusal | undefined> {
  const { companyUuid } = args;
  if (typeof companyUuid !== 'string' || !UUID.test(companyUuid)) return undefined;
  const companies = await accessibleCompanies(context);
  const isKnown = companies.some(({ uuid }) => folded(uuid) === folded(companyUuid));
  return isKnown ? undefined : unknownCompany(companyUuid, companies);
}

function uuidOf(name: string, companies: readonly Company[]): string {
  const wanted = folded(name);
  const matches = companies.filter((company) =>
    [company.uuid, company.id, company.shortName, company.name].some(
      (known) => folded(known) === wanted,
    ),
  );
  if (matches.length === 1) return matches[0]!.uuid;
  if (matches.length === 0) throw unknownCompany(name, companies);
  throw new Refusal(
    'ambiguous_company',
    400,
    `Several companies are called "${plain(name, 80)}". Call again with the uuid of the one that is meant:\n${listOf(matches)}`,
  );
}

const unknownCompany = (name: string, companies: readonly Company[]) =>
  new Refusal(
    'unknown_company',
    404,
    companies.length === 0
      ? 'The signed-in NeonPanel user has access to no company.'
      : `No company is called "${plain(name, 80)}". Call again with one of these (uuid is safest):\n${listOf(companies)}`,
  );

/** All companies of the user, at most MAX_PAGES × PER_PAGE. */
export async function accessibleCompanies(context: ToolContext): Promise<Company[]> {
  const companies = new Map<string, Company>();
  for (let page = 1, lastPage = 1; page <= Math.min(lastPage, MAX_PAGES); page++) {
    const response = await context.neonpanel.get(pathOf('companies'), { page, per_page: PER_PAGE });
    const { data, last_page } = structured(response);
    if (!Array.isArray(data)) {
      throw new NeonpanelError('unavailable', 'The list of companies is unreadable', {
        status: response.status,
        detail: 'companies: `data` is not a list',
      });
    }
    // By uuid: a company that moved to the next page while we read is still one company.
    for (const company of data.flatMap(companyOf)) companies.set(company.uuid, company);
    lastPage = typeof last_page === 'number' ? last_page : 1;
  }
  return [...companies.values()];
}

function companyOf(value: unknown): Company[] {
  if (!isObject(value) || typeof value['uuid'] !== 'string') return [];
  const part = (key: string) => String(value[key] ?? '');
  return [
    {
      uuid: value['uuid'],
      id: part('id'),
      name: part('name'),
      shortName: part('short_name'),
      record: value,
    },
  ];
}

function listOf(companies: readonly Company[]): string {
  const lines = companies
    .slice(0, MAX_CANDIDATES)
    .map(
      ({ name, shortName, id, uuid }) =>
        `- ${plain(name, 80)} (short name ${plain(shortName, 40)}, id ${plain(id, 20)}, uuid ${plain(uuid, 64)})`,
    );
  const more = companies.length - lines.length;
  return lines.join('\n') + (more > 0 ? `\nand ${more} more: see listCompanies.` : '');
}

/** In which texts are compared. */
export const folded = (name: string): string => name.normalize('NFC').trim().toLowerCase();
