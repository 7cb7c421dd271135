import { pino, type Logger } from 'pino';
import { patientStdout } from './stdout.ts';

/** A structured logger: `log.info({ event: 'token', outcome: 'success' })`. One line of JSON per event on stdout. */
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
    },
    destination ?? patientStdout(),
  );
}
