import { pino, type Logger } from 'pino';

/** A structured logger: `log.info({ event: 'token', outcome: 'success' })`. One line of JSON per event on stdout. */
export type Log = Logger;

/** Field names whose values never reach a log, at any depth we write (redacted by construction, not by memory). */
const SECRET_FIELDS = [
  'access_token',
  'refresh_token',
  'id_token',
  'client_secret',
  'client_assertion',
  'code',
  'code_verifier',
  'authorization',
  'cookie',
  'state',
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
    },
    destination ?? pino.destination({ dest: 1, sync: true }),
  );
}
