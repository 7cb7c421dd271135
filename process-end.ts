import type { Log } from './log.ts';

/** For the last lines of the log, if nobody reads it. */
const FLUSH_MS = 1_000;
/** An error that comes again and again shall not fill the log. */
const MAX_CRASH_LINES = 10;

/**
 * How the process ends: once, in an orderly way, whatever asks for it.
 *
 * - SIGTERM or SIGINT: `close`, and exit code 0; 1 with a line that says why, if that fails or takes too long. A second
 *   one ends it at once.
 * - An exception or a rejection that nobody caught: nobody knows what it left behind, so the process ends, too, with exit
 *   code 1, for whoever watches it to start it anew. It was one request's; the others get their answers first.
 *
 * @param options.close stops accepting and resolves when everybody has their answer
 * @param options.withinMs how long the whole may take, the last lines of the log included, milliseconds
 * @param options.crashWithinMs the same after an error
 */
export function endWith(options: {
  log: Log;
  close: () => Promise<void>;
  withinMs: number;
  crashWithinMs: number;
}): void {
  const { log, close, withinMs, crashWithinMs } = options;
  let exitCode = 0;
  let crashes = 0;
  let ending = false;
  let since = 0;

  const end = (): void => {
    if (ending) return;
    ending = true;
    since = performance.now();
    void close()
      .catch((err: unknown) => fail({ err }))
      .then(exit);
  };
  const exit = (): Promise<void> => {
    log.info({ event: 'stopped', exitCode, ms: Math.round(performance.now() - since) });
    return flushed(log).finally(() => process.exit(exitCode));
  };
  const fail = (why: object): void => {
    exitCode = 1;
    log.error({ event: 'stop', ...why }, 'stop: not everything could be closed');
  };
  const endWithin = (ms: number): void =>
    void setTimeout(() => {
      if (exitCode === 0) fail({ problem: 'it takes too long' });
      void exit();
    }, ms - FLUSH_MS);
  const stop = (signal: string): void => {
    log.info({ event: 'stop', signal });
    endWithin(withinMs);
    end();
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);

  // Of rejections as well: Node raises them as exceptions.
  process.on('uncaughtException', (error, origin) => {
    exitCode = 1;
    if (++crashes <= MAX_CRASH_LINES) log.fatal({ event: 'crash', origin, err: error });
    // What failed may be what would have answered, and its request then never ends.
    if (crashes === 1) endWithin(crashWithinMs);
    end();
  });
}

const flushed = (log: Log): Promise<void> =>
  new Promise((resolve) => {
    log.flush(() => resolve());
    setTimeout(resolve, FLUSH_MS);
  });
