import * as z from 'zod';
import { NeonpanelError } from '../../adapters/neonpanel/neonpanel.ts';
import { READ, WRITE } from '../../resource.ts';
import { structured } from './answer.ts';
import * as argument from './arguments.ts';
import { resolveCompany } from './company.ts';
import { isAcceptableData } from './data.ts';
import { isAcceptableLink, safeFileName } from './file.ts';
import { UnknownOutcome } from './outcome.ts';
import { pathOf } from './path.ts';
import * as shape from './shapes.ts';
import { defineTool, READS, type Structured, type ToolContext, type Upstream } from './tool.ts';

/** Adds documents, changes none; without a key a second call would add them again. */
const ADDS = {
  readOnlyHint: false,
  destructiveHint: false,
  idempotentHint: false,
  openWorldHint: false,
};

const importState = {
  request_id: shape.text,
  status: shape.text.describe('queued, processing, done or error'),
  ...shape.retryAfter,
};

export const getImportInstructions = defineTool({
  name: 'getImportInstructions',
  title: 'Get instructions for entering documents',
  status: { invoking: 'Reading how documents are entered…', invoked: 'Import instructions read' },
  description: [
    'Explains which fields NeonPanel expects for a document type (only "bill" exists): general notes and',
    'one description per attribute.',
    'Always call it before createDocuments and build `data` from it, never from memory.',
    'Not needed for a PDF: use createDocumentsByPdf.',
  ].join(' '),
  scope: READ,
  annotations: READS,
  input: z.strictObject({ type: argument.documentType }),
  output: z.looseObject({
    attributes: shape.bag({}).describe('Field name to description'),
    general: shape.text,
  }),
  async run({ type }, { neonpanel }) {
    const response = await neonpanel.get(pathOf('import', type, 'instructions'));
    // Documented as JSON or text/plain.
    return typeof response.body === 'string' ? { general: response.body } : structured(response);
  },
});

export const createDocuments = defineTool({
  name: 'createDocuments',
  title: 'Create documents',
  status: { invoking: 'Entering documents in NeonPanel…', invoked: 'NeonPanel answered the entry' },
  description: [
    'Creates documents (type "bill") in a company from structured data.',
    'This writes to the books: confirm company, amounts and dates with the user first.',
    'Call getImportInstructions before and give `data` exactly the fields it names.',
    "Dates before the company's entry lock date are refused.",
    'Give idempotencyKey: a call repeated with the same key and arguments then creates nothing twice.',
    'Without it a second call does: if the outcome is unclear, check in NeonPanel first.',
    'Follow the returned request_id with checkImportStatus unless status is done.',
  ].join(' '),
  scope: WRITE,
  annotations: ADDS,
  input: z.strictObject({
    companyUuid: argument.companyUuid,
    type: argument.documentType,
    data: z
      .looseObject({})
      .refine(isAcceptableData, 'must be an object of at most 200 kB and 10 levels')
      .describe('The document, with the fields named by getImportInstructions'),
    idempotencyKey: argument.idempotencyKey,
  }),
  output: z.looseObject({
    ...importState,
    documents: shape.list(z.looseObject(shape.document)),
  }),
  async run({ companyUuid, type, data, idempotencyKey }, context) {
    const company = await resolveCompany(companyUuid, context);
    return postOnce(context, {
      tool: 'createDocuments',
      key: idempotencyKey,
      path: pathOf('companies', company, 'create', type),
      body: { data },
    });
  },
});

export const createDocumentsByPdf = defineTool({
  name: 'createDocumentsByPdf',
  title: 'Create documents from a PDF',
  status: { invoking: 'Handing a PDF to NeonPanel…', invoked: 'NeonPanel answered the PDF' },
  description: [
    'Lets NeonPanel read a PDF (a supplier invoice, type "bill") and enter it as a document.',
    'This writes to the books: confirm company and file with the user first. file.link must be a public',
    'https link that NeonPanel can download at once, such as a short-lived signed link.',
    'The PDF is processed later: wait retry_after_seconds, then call checkImportStatus with the',
    'request_id until status is done or error.',
    'Give idempotencyKey: a call repeated with the same key and arguments then enters nothing twice.',
    'Without it a second call does: if the outcome is unclear, check first.',
  ].join(' '),
  scope: WRITE,
  // NeonPanel downloads from an address that somebody else runs.
  annotations: { ...ADDS, openWorldHint: true },
  input: z.strictObject({
    companyUuid: argument.companyUuid,
    type: argument.documentType,
    file: z.strictObject({
      name: z
        .string()
        .min(1)
        .max(500)
        .refine((name) => /[A-Za-z0-9]/.test(safeFileName(name)), 'must contain letters or digits')
        .describe('File name, e.g. invoice-1042.pdf'),
      link: z
        .string()
        .max(2048)
        .refine(
          isAcceptableLink,
          'must be a public https link without user name or private address',
        )
        .describe('Public https link to the PDF'),
    }),
    idempotencyKey: argument.idempotencyKey,
  }),
  output: z.looseObject(importState),
  async run({ companyUuid, type, file, idempotencyKey }, context) {
    const company = await resolveCompany(companyUuid, context);
    const body = { file: { name: safeFileName(file.name), link: file.link } };
    return postOnce(context, {
      tool: 'createDocumentsByPdf',
      key: idempotencyKey,
      path: pathOf('companies', company, 'import', type, 'pdf'),
      body,
    });
  },
});

export const checkImportStatus = defineTool({
  name: 'checkImportStatus',
  title: 'Check the status of an import',
  status: { invoking: 'Checking the import…', invoked: 'Import checked' },
  description: [
    'Shows how far an import is: queued or processing (wait retry_after_seconds, then ask again), done',
    '(documents lists what was created, with links) or error.',
    'Use the request_id returned by createDocuments or createDocumentsByPdf, with the same company and',
    'type.',
    'Stop after a few minutes and tell the user that NeonPanel is still working on it.',
  ].join(' '),
  scope: READ,
  annotations: READS,
  input: z.strictObject({
    companyUuid: argument.companyUuid,
    type: argument.documentType,
    requestId: argument.requestId,
  }),
  output: z.looseObject({
    ...importState,
    documents: shape.list(z.looseObject(shape.document)),
  }),
  async run({ companyUuid, type, requestId }, context) {
    const company = await resolveCompany(companyUuid, context);
    const path = pathOf('companies', company, 'import', type, 'status', requestId);
    return structured(await context.neonpanel.get(path));
  },
});

/**
 * One POST. Without an answer that says what happened nobody knows whether it was carried out, and the model must
 * hear exactly that instead of an invitation to try again.
 */
async function post(neonpanel: Upstream, path: string, body: unknown): Promise<Structured> {
  try {
    return structured(await neonpanel.post(path, body));
  } catch (error) {
    if (!(error instanceof NeonpanelError) || error.kind !== 'unavailable') throw error;
    throw new UnknownOutcome({ detail: error.detail, cause: error });
  }
}

/** With a key it is sent once, however often it is asked for. */
function postOnce(
  { neonpanel, once }: ToolContext,
  request: { tool: string; key: string | undefined; path: string; body: unknown },
): Promise<Structured> {
  const { tool, key, path, body } = request;
  if (key === undefined) return post(neonpanel, path, body);
  const call = { tool, key, args: { path, body } };
  return once(call, (unhurried) => post(unhurried, path, body));
}
