import { randomBytes } from 'node:crypto';
import type { Program } from './process.ts';

/** Both end with the run; every instance of it must have the same. */
export const MASTER_KEYS = randomBytes(32).toString('base64url');

export interface Surroundings {
  readonly port: number;
  /** Default: the instance itself. A second instance serves under the name of the first. */
  readonly publicUrl?: string;
  readonly directory: string;
  readonly redisUrl?: string | undefined;
  readonly neonpanelUrl: string;
  /** The API, if it is not NeonPanel's own. */
  readonly apiUrl?: string;
  /** How many tools besides `echo`. Undefined: the server without anything of ours in it. */
  readonly tools?: number | 'as shipped';
  /** Options of node. */
  readonly nodeOptions?: readonly string[];
}

/**
 * Our server as `npm start` runs it in production, but for the address: every check on but one, the log at its usual level and
 * written. The rate limits are off, and with them the counting, because all the load comes from one address and few users; and
 * `/mcp` may be listed without a token, which changes nothing for those who have one.
 */
export function ourServer(at: Surroundings): Program {
  const { port, directory, redisUrl, tools, nodeOptions = [] } = at;
  const hooks = tools === 'as shipped' ? [] : ['--import', './bench/inside/hooks.ts'];
  return {
    command: [...nodeOptions, ...hooks, 'server.js'],
    port,
    readyPath: '/readyz',
    env: {
      PUBLIC_URL: at.publicUrl ?? `http://localhost:${port}`,
      DATA_DIR: directory,
      ...(redisUrl ? { REDIS_URL: redisUrl } : { SQLITE_PATH: `${directory}/store.db` }),
      MASTER_KEYS,
      NEONPANEL_URL: at.neonpanelUrl,
      ...(at.apiUrl && { NEONPANEL_API_URL: at.apiUrl }),
      SANDBOX_PORT: '0',
      RATE_LIMIT_FACTOR: '0',
      ACCESS_TOKEN_TTL_SECONDS: '86400',
      PUBLIC_DISCOVERY: 'true',
      LOG_LEVEL: 'info',
      ...(typeof tools === 'number' && { BENCH_TOOLS: String(tools) }),
    },
  };
}
