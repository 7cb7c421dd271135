import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RedisServer } from './redis.ts';

/** Everything clients ask of a Redis, as Redis itself sees it. */
export interface RedisMonitor {
  /**
   * The commands sent while `action` ran, apart from what goes on whether anybody is served or not (the look at the
   * signing keys, the watch over the connection, the count of waiting clients). What scripts do inside is not counted.
   */
  during<T>(action: () => Promise<T>): Promise<{ result: T; commands: string[] }>;
  close(): void;
}

const BACKGROUND = /^"(ping|time|info|monitor|scan)"|\{(keys|clients)\}/i;

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
      lines = [];
      const result = await action();
      await mark();
      const commands = lines
        .filter(
          (line) => line.startsWith('+') && !line.includes(' lua]') && !line.includes('mark-'),
        )
        .map((line) => line.slice(line.indexOf('] ') + 2))
        .filter((command) => !BACKGROUND.test(command));
      return { result, commands };
    },
    close: () => socket.destroy(),
  };
}
