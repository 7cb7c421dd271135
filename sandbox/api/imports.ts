import { notFound, refuse } from '../errors.ts';
import { jsonObject } from '../http/body.ts';
import { billInstructions, checkBill, instructionsText } from './bills.ts';
import type { JobStatus } from './import-jobs.ts';
import { findBooks } from './lookup.ts';
import { Answer, type Call } from './operation.ts';
import { readPdf } from './pdf.ts';

/** GET /import/:type/instructions */
export function getImportInstructions({ params, prefersText }: Call) {
  if (params.type !== 'bill') throw notFound('There are no instructions for this type.');
  if (!prefersText) return billInstructions;
  return new Answer(instructionsText(), 200, { 'Content-Type': 'text/plain; charset=UTF-8' });
}

/** POST /companies/:companyUuid/create/:type */
export function createDocuments(call: Call) {
  const { company, lockedUntil } = findBooks(call);
  const type = supportedType(call);
  const data = jsonObject(call.body)?.data;
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    throw refuse(400, 'The data field must be an object.');
  }
  const bill = checkBill(data as Record<string, unknown>);
  if (bill.date !== null && bill.date < lockedUntil) {
    throw refuse(400, `The date is before the entry locked date (${lockedUntil}).`);
  }
  const job = { companyUuid: company.uuid, type, kind: 'json', fails: false } as const;
  return answer(call.jobs.begin(job, bill.refNumber));
}

/** POST /companies/:companyUuid/import/:type/pdf. The link is not followed. */
export async function createDocumentsByPdf(call: Call) {
  const { company } = findBooks(call);
  const type = supportedType(call);
  const name = await readPdf(call);
  const fails = name.toLowerCase() === 'broken.pdf';
  const job = { companyUuid: company.uuid, type, kind: 'pdf', fails } as const;
  return answer(call.jobs.begin(job, null));
}

/** GET /companies/:companyUuid/import/:type/status/:requestId */
export function checkImportStatus(call: Call) {
  const { company } = findBooks(call);
  const { type = '', requestId = '' } = call.params;
  const status = call.jobs.find(requestId, company.uuid, type);
  if (!status) throw notFound('Import request not found.');
  return answer(status);
}

function supportedType({ params }: Call): string {
  if (params.type !== 'bill') throw refuse(400, 'This document type is not supported.');
  return params.type;
}

function answer({ requestId, status, retryAfterSeconds, documents }: JobStatus): Answer {
  const headers = { 'X-Request-Id': requestId };
  const body = { request_id: requestId, status };
  if (retryAfterSeconds === undefined) return new Answer({ ...body, documents }, 200, headers);
  return new Answer(body, 202, { ...headers, 'Retry-After': String(retryAfterSeconds) });
}
