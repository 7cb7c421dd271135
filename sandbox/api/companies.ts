import type { Call } from './operation.ts';
import { pageFields, pageOf } from './paging.ts';
import { readPaging } from './query.ts';

/** GET /companies */
export function listCompanies({ books, query }: Call) {
  const paging = readPaging(query);
  query.done();
  const companies = books.map(({ company }) => company);
  return { ...pageFields(companies.length, paging), data: pageOf(companies, paging) };
}

/** GET /permissions/:permission/companies. An unknown permission is one that nobody has. */
export function listCompaniesWithPermission({ books, params, query }: Call) {
  const wanted = query.list('company_uuids');
  query.done();
  const companies = books
    .filter(({ permissions }) => permissions.includes(params.permission ?? ''))
    .map(({ company }) => company)
    .filter(({ uuid }) => wanted.length === 0 || wanted.includes(uuid));
  return { filters: { company_uuids: wanted }, companies };
}
