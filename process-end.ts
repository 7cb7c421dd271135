import type { Log } from './log.ts';

/** For the last lines of the log, if nobody reads it. */
const FLUSH_MS = 2_000;
/** An error that comes again and again shall not fill the log. */
const MAX_CRASH_LINES = 10;

/**
 * How the process ends: once, in an orderly way, whatever asks for it.
 *
 * - SIGTERM or SIGINT: `close`, and exit code 0. A second one ends it at once.
 * - An exception or a rejection that nobody caught: nobody knows what it left behind, so the process ends, too, with exit
 *   code 1, for whoever watches it to start it anew. It was one request's; the others get their answers first.
 *
 * @param options.close stops accepting and resolves when everybody has their answer
 * @param options.crashDrainMs how long that may take after an error, milliseconds
 */
export function endWith(options: {
  log: Log;
  close: () => Promise<void>;
  crashDrainMs: number;
}): void {
  const { log, close, crashDrainMs } = options;
  let exitCode = 0;
  let crashes = 0;
  let ending = false;

  const end = (): void => {
    if (ending) return;
    ending = true;
    void close()
      .then(() => flushed(log))
      .finally(() => process.exit(exitCode));
  };
  const stop = (signal: string): void => {
    log.info({ event: 'stop', signal });
    end();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);

  // Of rejections as well: Node raises them as exceptions.
  process.on('uncaughtException', (error, origin) => {
    exitCode = 1;
    if (++crashes <= MAX_CRASH_LINES) log.fatal({ event: 'crash', origin, err: error });
    // What failed may be what would have answered, and its request then never ends.
    if (crashes === 1) setTimeout(() => process.exit(exitCode), crashDrainMs);
    end();
  });
}

const flushed = (log: Log): Promise<void> =>
  new Promise((resolve) => {
    log.flush(() => resolve());
    setTimeout(resolve, FLUSH_MS);
  });
