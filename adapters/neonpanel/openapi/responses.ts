import { examples } from './examples.ts';
import type { Operation, SchemaName } from './operations.ts';
import { schemaRef } from './schemas.ts';

const json = (schema: SchemaName) => ({
  'application/json': { schema: schemaRef(schema), example: examples[schema] },
});

const RETRY_AFTER = { $ref: '#/components/headers/RetryAfter' };

/** Refusals that look the same everywhere, and what is said of them. */
export const responses = {
  400: {
    description:
      'The request can’t be carried out: unsupported type, broken data, a date in locked books.',
    content: json('Error'),
  },
  401: { description: 'No access token, or not a valid one.', content: json('Error') },
  403: {
    description: 'The user may not see this company or record, or the token lacks a scope.',
    content: json('Error'),
  },
  404: { description: 'There is no such record in this company.', content: json('Error') },
  415: { description: 'The body is of another type than those named.', content: json('Error') },
  422: { description: 'A parameter or field is not valid.', content: json('ValidationError') },
  429: {
    description: 'Too many requests. NeonPanel documents no limit, but one may come.',
    headers: { 'Retry-After': RETRY_AFTER },
    content: json('Error'),
  },
  default: {
    description:
      'Anything else, such as an outage. May be HTML whatever its content type says, also from what stands before NeonPanel.',
  },
} as const;

/** One of them without a body. */
const empty = { description: 'The user may not see it, or it does not exist. Without a body.' };

/** Every answer of an operation, by status. */
export function responsesOf({ id, answers, refusals = [] }: Operation): Record<string, object> {
  const refs = [401, ...refusals, 429, 'default'].map((status) => {
    const isEmpty = id === 'getReport' && (status === 403 || status === 404);
    return [status, isEmpty ? empty : { $ref: `#/components/responses/${status}` }] as const;
  });
  return { ...successesOf(id, answers), ...Object.fromEntries(refs) };
}

function successesOf(id: string, answers: Operation['answers']): Record<string, object> {
  const isImport = id.startsWith('create') || id === 'checkImportStatus';
  const requestId = isImport && { 'X-Request-Id': { $ref: '#/components/headers/RequestId' } };
  const entries = Object.entries(answers).map(([status, schema]) => {
    const isPending = status === '202';
    const headers = { ...requestId, ...(isPending && { 'Retry-After': RETRY_AFTER }) };
    const text = id === 'getImportInstructions' && { 'text/plain': { schema: { type: 'string' } } };
    const response = {
      description: isPending ? 'Accepted; it is being worked on.' : 'Done.',
      ...(Object.keys(headers).length > 0 && { headers }),
      content: { ...json(schema), ...text },
    };
    return [status, response];
  });
  return Object.fromEntries(entries);
}

export const headers = {
  RetryAfter: {
    description: 'Seconds to wait before asking again. Of an import 15 after it was sent, then 5.',
    schema: { type: 'integer', minimum: 1 },
  },
  RequestId: {
    description: 'The same as request_id.',
    schema: { type: 'string', format: 'uuid' },
  },
};
