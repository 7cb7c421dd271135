import { AsyncLocalStorage } from 'node:async_hooks';
import { pino, type Logger } from 'pino';
import { withoutSecrets } from './redaction.ts';
import { patientStdout } from './stdout.ts';

/** A structured logger: `log.info({ event: 'stop', signal })`. One line of JSON per event on stdout. */
export type Log = Logger;

/**
 * Fields that never reach a log, at the top of a line or up to two levels below it, whoever forgets what they hold.
 * Deeper objects, values under other names and what a child logger adds to its lines (the request id, and nothing else) are
 * the writer's responsibility: lines name their fields one by one.
 */
const SECRET_FIELDS = new Set([
  'access_token',
  'refresh_token',
  'id_token',
  'client_secret',
  'client_assertion',
  'code_verifier',
  'authorization',
  'cookie',
  'password',
  'token',
]);
const LEVELS_BELOW = 2;

/**
 * @param level pino level name (LOG_LEVEL)
 * @param destination where lines go; tests pass an in-memory stream
 */
export function createLog(level: string, destination?: { write(line: string): void }): Log {
  return pino(
    {
      level,
      base: undefined,
      formatters: { log: (line) => censored(line, LEVELS_BELOW) },
      serializers: { err: errorForLog },
      // pino would copy the message of an `err` to `msg`, as it is.
      errorKey: 'nobody uses this',
    },
    destination ?? patientStdout(),
  );
}

/**
 * The same without secret fields; a copy only if there are any. pino's own `redact` tries every path on every line, which
 * took longer than all the rest of writing it.
 */
function censored<T extends object>(value: T, levelsBelow: number): T {
  let copy: Record<string, unknown> | undefined;
  for (const [name, member] of Object.entries(value)) {
    const shown = SECRET_FIELDS.has(name) ? CENSOR : inside(member, levelsBelow);
    if (shown === member) continue;
    copy ??= (Array.isArray(value) ? [...value] : { ...value }) as Record<string, unknown>;
    copy[name] = shown;
  }
  return (copy as T | undefined) ?? value;
}

/** Errors are written by their serializer. */
const inside = (member: unknown, levelsBelow: number): unknown =>
  typeof member === 'object' && member !== null && levelsBelow > 0 && !(member instanceof Error)
    ? censored(member, levelsBelow - 1)
    : member;

const CENSOR = '[redacted]';
const MAX_MESSAGE_LENGTH = 500;
const MAX_FRAMES = 20;
const MAX_CAUSES = 5;

/**
 * An error, named field by field: libraries hang whole commands, requests and answers on theirs, passwords and tokens
 * included. Of the stack only the frames are taken, because it begins with the message once more.
 */
function errorForLog(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return { type: typeof error };
  const { name, message, stack = '', cause } = error;
  const { code } = error as NodeJS.ErrnoException;
  const frames = stack.split('\n').filter((line) => /^ {4}at /.test(line));
  return {
    type: name,
    message: withoutSecrets(message, MAX_MESSAGE_LENGTH),
    ...(typeof code === 'string' && { code: withoutSecrets(code, 60) }),
    stack: frames.slice(0, MAX_FRAMES).join('\n'),
    ...(cause instanceof Error && depth < MAX_CAUSES && { cause: errorForLog(cause, depth + 1) }),
  };
}

const requests = new AsyncLocalStorage<Log>();

/** Runs one request, whose lines all carry its id. */
export const withRequestLog = <T>(log: Log, request: () => T): T => requests.run(log, request);

/** The log of the request under way, for what has no other way to know it. @param otherwise outside of any request */
export const currentLog = <L extends Log | undefined>(otherwise: L): Log | L =>
  requests.getStore() ?? otherwise;
