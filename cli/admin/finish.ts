import type { Terminal } from '../terminal.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Lets a change that has begun end, with its line in the audit log, although somebody presses Ctrl-C or the system stops us
 * meanwhile. Who insists, by a second signal, gets the process killed as usual.
 */
export async function finishing<T>(terminal: Terminal, work: () => Promise<T>): Promise<T> {
  const stop = () => {
    release();
    terminal.err('Finishing what has begun; once more ends it at once.\n');
  };
  const release = () => SIGNALS.forEach((signal) => process.off(signal, stop));
  for (const signal of SIGNALS) process.on(signal, stop);
  try {
    return await work();
  } finally {
    release();
  }
}
