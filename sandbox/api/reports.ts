import { reports, sheetsOf } from '../data/reports.ts';
import { Refusal } from '../errors.ts';
import type { Call } from './operation.ts';

/** GET /reports */
export function listReports() {
  return { count: reports.length, data: reports };
}

/** GET /reports/:reportId. Its 404 has no body. */
export function getReport({ params }: Call) {
  const report = reports.find(({ id }) => String(id) === params.reportId);
  if (!report) throw new Refusal(404, undefined);
  return { ...report, sheets: sheetsOf(report) };
}
