import { AsyncLocalStorage } from 'node:async_hooks';
import { pino, type Logger } from 'pino';
import { withoutSecrets } from './redaction.ts';
import { patientStdout } from './stdout.ts';

/** A structured logger: `log.info({ event: 'stop', signal })`. One line of JSON per event on stdout. */
export type Log = Logger;

/**
 * Fields that never reach a log, at the top of a line or up to two levels below it, whoever forgets what they hold.
 * Deeper objects, and values under other names, are the writer's responsibility: lines name their fields one by one.
 */
const SECRET_FIELDS = [
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
];

/**
 * @param level pino level name (LOG_LEVEL)
 * @param destination where lines go; tests pass an in-memory stream
 */
export function createLog(level: string, destination?: { write(line: string): void }): Log {
  return pino(
    {
      level,
      base: undefined,
      redact: {
        paths: SECRET_FIELDS.flatMap((f) => [f, `*.${f}`, `*.*.${f}`]),
        censor: '[redacted]',
      },
      serializers: { err: errorForLog },
      // pino would copy the message of an `err` to `msg`, as it is.
      errorKey: 'nobody uses this',
    },
    destination ?? patientStdout(),
  );
}

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
export const currentLog = (otherwise: Log): Log => requests.getStore() ?? otherwise;
