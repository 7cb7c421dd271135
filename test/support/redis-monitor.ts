import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisServer } from './redis.ts';

export interface During<T> {
  readonly result: T;
  readonly commands: readonly string[];
  /** Those about lists of connections. */
  readonly listing: readonly string[];
}

/** Everything clients ask of a Redis, as Redis itself sees it. */
export interface RedisMonitor {
  /**
   * The commands sent while `action` ran, apart from what goes on whether anybody is served or not (the look at the
   * signing keys, the watch over the connection, the count of waiting clients), and apart from the lists of connections,
   * which are written behind answers. What scripts do inside is not counted.
   */
  during<T>(action: () => Promise<T>): Promise<During<T>>;
  close(): void;
}

const BACKGROUND = /^"(ping|time|info|monitor|scan)"|\{(keys|clients)\}/i;
/** The commands about lists of connections (adapters/connections.ts). */
const LISTS = /:connections"/;

export async function monitorRedis(redis: Pick<RedisServer, 'port'>): Promise<RedisMonitor> {
  const socket = connect(redis.port, '127.0.0.1');
  let lines: string[] = [];
  let rest = '';
  socket.on('data', (chunk) => {
    const parts = (rest + String(chunk)).split('\r\n');
    rest = parts.pop()!;
    lines.push(...parts);
  });
  const mark = async (): Promise<void> => {
    // Redis tells in the order in which it works: whatever came before this is in the lines before it.
    const text = `mark-${Math.random()}`;
    const other = connect(redis.port, '127.0.0.1');
    other.end(`ECHO ${text}\r\n`);
    while (!lines.some((line) => line.includes(text))) await sleep(5);
  };
  socket.write('MONITOR\r\n');
  await mark();

  return {
    async during(action) {
      // What came before may not have been told yet.
      await mark();
      lines = [];
      const result = await action();
      await mark();
      const commands = lines
        .filter(
          (line) => line.startsWith('+') && !line.includes(' lua]') && !line.includes('mark-'),
        )
        .map((line) => line.slice(line.indexOf('] ') + 2))
        .filter((command) => !BACKGROUND.test(command));
      const { listing = [], commands: rest = [] } = Object.groupBy(commands, (command) =>
        LISTS.test(command) ? 'listing' : 'commands',
      );
      return { result, commands: rest, listing };
    },
    close: () => socket.destroy(),
  };
}
