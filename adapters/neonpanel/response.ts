import { NeonpanelError, type ApiResponse, type NeonpanelErrorKind } from './neonpanel.ts';

/** What came back, before anything in it is believed. */
export interface RawAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

const MAX_FIELDS = 20;
const MAX_MESSAGES_PER_FIELD = 3;
const MAX_MESSAGE_LENGTH = 200;
const MAX_DETAIL_LENGTH = 200;
const MAX_RETRY_AFTER_SECONDS = 3600;

/**
 * Reads an answer: 2xx becomes an ApiResponse, everything else is thrown.
 *
 * @param now epoch milliseconds, for a Retry-After that is a date
 * @throws NeonpanelError by status, or `unavailable` for a 2xx that is neither JSON nor plain text
 */
export function readAnswer(answer: RawAnswer, now: number): ApiResponse {
  const retryAfterSeconds = retryAfter(answer.headers['retry-after'], now);
  if (answer.status < 200 || answer.status > 299) throw errorOf(answer, retryAfterSeconds);
  const body = bodyOf(answer);
  if (body === undefined) {
    throw new NeonpanelError('unavailable', 'NeonPanel answered in an unreadable form', {
      status: answer.status,
      detail: detailOf(answer),
    });
  }
  return { status: answer.status, body, retryAfterSeconds };
}

/**
 * The body, by what it is rather than by what its content type claims: HTML arrives as JSON and JSON as text/plain.
 * Undefined when it is neither JSON nor honest plain text.
 */
function bodyOf(answer: RawAnswer): unknown {
  const parsed = parseJson(answer.text);
  if (typeof parsed === 'object' && parsed !== null) return parsed;
  const plain = /^text\/plain\b/i.test(String(answer.headers['content-type'] ?? ''));
  if (plain && answer.text.trim() !== '' && !/^\s*</.test(answer.text)) return answer.text;
  return parsed;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function errorOf(answer: RawAnswer, retryAfterSeconds: number | undefined): NeonpanelError {
  const kind = kindOf(answer.status);
  const fields = kind === 'rejected' ? fieldsOf(parseJson(answer.text)) : undefined;
  return new NeonpanelError(kind, `NeonPanel answered ${answer.status}`, {
    status: answer.status,
    detail: detailOf(answer),
    ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    ...(fields === undefined ? {} : { fields }),
  });
}

/** 3xx is `unavailable`: redirects are never followed, the bearer would go with them. */
function kindOf(status: number): NeonpanelErrorKind {
  if (status === 401) return 'unauthorized';
  if (status === 403) return 'forbidden';
  if (status === 429) return 'rate_limited';
  if (status === 408 || status < 400 || status > 499) return 'unavailable';
  return 'rejected';
}

/**
 * Laravel's `errors` of a 422, or the `message` of any other refusal under the name `message`; bounded in number and
 * length, because both end up in front of a model.
 */
function fieldsOf(body: unknown): Record<string, string[]> | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const { errors, message } = body as { errors?: unknown; message?: unknown };
  const source = typeof errors === 'object' && errors !== null ? Object.entries(errors) : [];
  const named = source.length > 0 ? source : [['message', message] as const];
  const fields = named
    .slice(0, MAX_FIELDS)
    .map(([name, value]) => [name.slice(0, 100), messagesOf(value)] as const)
    .filter(([, messages]) => messages.length > 0);
  return fields.length > 0 ? Object.fromEntries(fields) : undefined;
}

function messagesOf(value: unknown): string[] {
  return (Array.isArray(value) ? value.slice(0, MAX_MESSAGES_PER_FIELD) : [value])
    .filter((message): message is string => typeof message === 'string' && message !== '')
    .map((message) => message.slice(0, MAX_MESSAGE_LENGTH));
}

/** `Retry-After` as seconds or HTTP date (RFC 9110 §10.2.3), 1 to 3600. */
export function retryAfter(header: string | string[] | undefined, now: number): number | undefined {
  const value = (Array.isArray(header) ? header[0] : header)?.trim();
  if (!value) return undefined;
  const isSeconds = /^\d{1,9}$/.test(value);
  if (!isSeconds && !/^[A-Z][a-z]+, .+ GMT$/.test(value)) return undefined;
  const seconds = isSeconds ? Number(value) : (Date.parse(value) - now) / 1000;
  if (!Number.isFinite(seconds)) return undefined;
  return Math.min(Math.max(Math.ceil(seconds), 1), MAX_RETRY_AFTER_SECONDS);
}

/** For the log only: the status and the start of the body without anything that could be a credential. */
function detailOf(answer: RawAnswer): string {
  const start = answer.text
    .slice(0, 4096)
    .replace(/[A-Za-z0-9_\-.~+/=]{24,}/g, '[redacted]')
    .replace(/[^\P{C}]+/gu, ' ')
    .slice(0, MAX_DETAIL_LENGTH);
  return `${answer.status} ${start}`.trim();
}
