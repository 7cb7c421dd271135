import { execFileSync } from 'node:child_process';
import { existsSync, globSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';

/** Everything the embedded store has on disk: file, log, index. Read by another process, which disturbs no lock of ours. */
export function sqliteBytes(dataDir: string): string {
  const files = ['', '-wal', '-shm']
    .map((end) => join(dataDir, `neonpanel-mcp.db${end}`))
    .filter((file) => existsSync(file));
  return execFileSync('cat', files, { maxBuffer: 256 * 1024 * 1024 }).toString('latin1');
}

/** Every key with its value, and every command ever written: the append-only file of redis-server. */
export async function redisBytes(url: string): Promise<string> {
  const client = new Redis(url);
  try {
    const names = await client.keys('*');
    const values = names.length > 0 ? await client.mget(names) : [];
    const [, dir] = (await client.config('GET', 'dir')) as string[];
    const files = globSync('appendonlydir/*', { cwd: dir! }).map((file) => join(dir!, file));
    const written = execFileSync('cat', files, { maxBuffer: 256 * 1024 * 1024 }).toString('latin1');
    return [...names, ...values, written].join('\n');
  } finally {
    client.disconnect();
  }
}
