import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Harness, type HarnessOptions, startHarness } from '../support/harness.ts';

/** Production rules behind a balancer: the public address has nothing to do with the one we listen on. */
export const PUBLIC = 'https://mcp.public.example';

export async function startProduction(options: HarnessOptions = {}): Promise<Harness> {
  const folder = mkdtempSync(join(tmpdir(), 'neonpanel-mcp-test-'));
  const harness = await startHarness({
    ...options,
    env: {
      PUBLIC_URL: PUBLIC,
      HOST: 'localhost',
      MASTER_KEYS: randomBytes(32).toString('base64url'),
      SQLITE_PATH: join(folder, 'store.db'),
      ALLOW_SANDBOX: 'true',
      NEONPANEL_CLIENT_ID: 'balanced',
      TRUSTED_PROXY_HOPS: '1',
      RATE_LIMIT_FACTOR: '1000',
      ...options.env,
    },
  });
  return {
    ...harness,
    async close() {
      await harness.close();
      rmSync(folder, { recursive: true });
    },
  };
}
