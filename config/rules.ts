import { aboutVariable, type Environment, type Variable } from './schema.ts';

/**
 * Rules that concern more than one variable, as a table: when the condition holds, the line is reported. The whole
 * table is always gone through, so an operator sees everything that is wrong in one go.
 */

/** One mistake. `problem` and `expected` never contain the value of a secret. */
export interface ConfigProblem {
  readonly variable: string;
  readonly problem: string;
  readonly expected: string;
}

/** Our variables that are set, as text. */
export type Given = Readonly<Partial<Record<Variable, string>>>;

/** Whether PUBLIC_URL is this machine, and what follows for the sandbox. */
export interface Place {
  readonly loopback: boolean;
  readonly sandboxEnabled: boolean;
}

interface Rule {
  readonly variable: Variable;
  readonly when: (c: Context) => unknown;
  readonly problem: string;
  /** Default: the variable's own form and example. */
  readonly expected?: string;
}

interface Context extends Place {
  readonly given: Given;
  readonly values: Environment;
}

const production = (c: Context): boolean => !c.loopback;
const overHttp = (url: string | undefined): boolean => url?.startsWith('http:') ?? false;

/** How a node of Redis is spoken to. */
function access(url: string): string {
  const { protocol, username, password } = new URL(url);
  return JSON.stringify([protocol, username, password]);
}

const database = (url: string): number => Number(new URL(url).pathname.slice(1));

/** A PUBLIC_URL that is not loopback is a deployment; nothing is generated or assumed for it. */
const PRODUCTION_RULES: readonly Rule[] = [
  {
    variable: 'MASTER_KEYS',
    when: (c) => production(c) && !c.given.MASTER_KEYS,
    problem: 'is required when PUBLIC_URL is not loopback',
  },
  {
    // A key typed by hand or copied from a manual; 32 random bytes have fewer than 16 different ones once in 10^17.
    variable: 'MASTER_KEYS',
    when: (c) => production(c) && c.values.MASTER_KEYS?.some((key) => new Set(key).size < 16),
    problem: 'contains a key that is not random',
  },
  {
    variable: 'SQLITE_PATH',
    when: (c) => production(c) && !c.given.SQLITE_PATH && !c.given.REDIS_URL,
    problem: 'or REDIS_URL is required when PUBLIC_URL is not loopback',
  },
  {
    variable: 'NEONPANEL_URL',
    when: (c) => production(c) && !c.values.ALLOW_SANDBOX && !c.given.NEONPANEL_URL,
    problem: 'is required when PUBLIC_URL is not loopback',
  },
  {
    variable: 'NEONPANEL_URL',
    when: (c) => production(c) && !c.values.ALLOW_SANDBOX && overHttp(c.values.NEONPANEL_URL),
    problem: 'must be https when PUBLIC_URL is not loopback',
  },
  {
    variable: 'NEONPANEL_API_URL',
    when: (c) => production(c) && !c.values.ALLOW_SANDBOX && overHttp(c.values.NEONPANEL_API_URL),
    problem: 'must be https when PUBLIC_URL is not loopback',
  },
  {
    variable: 'NEONPANEL_CLIENT_ID',
    when: (c) => production(c) && !c.sandboxEnabled && !c.given.NEONPANEL_CLIENT_ID,
    problem: 'is required when PUBLIC_URL is not loopback',
  },
  {
    variable: 'CIMD_TEST_ORIGIN',
    when: (c) => production(c) && c.given.CIMD_TEST_ORIGIN,
    problem: 'is refused when PUBLIC_URL is not loopback',
    expected: 'it to be unset',
  },
  {
    variable: 'RATE_LIMIT_FACTOR',
    when: (c) => production(c) && c.values.RATE_LIMIT_FACTOR === 0,
    problem: 'may not turn the limits off when PUBLIC_URL is not loopback',
    expected: 'a number above 0, up to 1000, e.g. 2',
  },
];

const RULES: readonly Rule[] = [
  ...PRODUCTION_RULES,
  {
    variable: 'REDIS_URL',
    when: (c) => !c.given.REDIS_URL && c.values.REDIS_MODE !== 'single',
    problem: 'is required by REDIS_MODE',
  },
  {
    variable: 'REDIS_URL',
    when: (c) => c.values.REDIS_MODE === 'single' && (c.values.REDIS_URL?.length ?? 0) > 1,
    problem: 'names several nodes, but REDIS_MODE is single',
    expected: 'one node, or REDIS_MODE=cluster or sentinel',
  },
  {
    // A cluster has database 0 only.
    variable: 'REDIS_URL',
    when: (c) =>
      c.values.REDIS_MODE === 'cluster' &&
      c.values.REDIS_URL?.some((url) => /[1-9]/.test(new URL(url).pathname)),
    problem: 'names a database, but a cluster has only database 0',
    expected: 'redis://host:port without a database, e.g. redis://node-1:6379,redis://node-2:6379',
  },
  {
    // One set of them is used for every node, those included that are found later.
    variable: 'REDIS_URL',
    when: (c) =>
      c.values.REDIS_MODE !== 'single' && new Set(c.values.REDIS_URL?.map(access)).size > 1,
    problem: 'names nodes that differ in scheme, user or password',
    expected: 'the same for all nodes, e.g. redis://node-1:6379,redis://node-2:6379',
  },
  {
    variable: 'REDIS_URL',
    when: (c) =>
      c.values.REDIS_MODE === 'sentinel' && new Set(c.values.REDIS_URL?.map(database)).size > 1,
    problem: 'names more than one database',
    expected: 'the same for all nodes, e.g. redis://node-1:6379/1,redis://node-2:6379/1',
  },
  {
    variable: 'REDIS_SENTINEL_NAME',
    when: (c) => c.values.REDIS_MODE === 'sentinel' && !c.given.REDIS_SENTINEL_NAME,
    problem: 'is required by REDIS_MODE=sentinel',
  },
  {
    variable: 'NEONPANEL_URL',
    when: (c) => c.loopback && !c.given.NEONPANEL_URL && c.values.SANDBOX_PORT === 0,
    problem: 'is required when SANDBOX_PORT is 0',
  },
  {
    variable: 'NEONPANEL_URL',
    when: (c) =>
      !c.loopback && c.values.ALLOW_SANDBOX && !c.given.NEONPANEL_URL && !c.values.SANDBOX_PORT,
    problem: 'is required when SANDBOX_PORT is 0',
  },
  {
    variable: 'NEONPANEL_CLIENT_ID',
    when: (c) => c.given.NEONPANEL_CLIENT_SECRET && !c.given.NEONPANEL_CLIENT_ID,
    problem: 'is required by NEONPANEL_CLIENT_SECRET',
  },
  {
    variable: 'SANDBOX_PORT',
    when: (c) => c.sandboxEnabled && c.values.SANDBOX_PORT === c.values.PORT,
    problem: 'is the same as PORT',
    expected: 'another port, or 0',
  },
  {
    variable: 'ADMIN_PORT',
    when: (c) =>
      c.values.ADMIN_PORT !== 0 &&
      (c.values.ADMIN_PORT === c.values.PORT ||
        (c.sandboxEnabled && c.values.ADMIN_PORT === c.values.SANDBOX_PORT)),
    problem: 'is the same as PORT or SANDBOX_PORT',
    expected: 'another port, or 0',
  },
  {
    variable: 'REFRESH_GRACE_SECONDS',
    when: (c) => c.values.REFRESH_GRACE_SECONDS > c.values.REFRESH_TOKEN_TTL_SECONDS,
    problem: 'is longer than REFRESH_TOKEN_TTL_SECONDS',
    expected: 'a shorter time, e.g. 60',
  },
  {
    variable: 'REGISTRATION_TOKEN',
    when: (c) => c.values.REGISTRATION === 'token' && !c.given.REGISTRATION_TOKEN,
    problem: 'is required by REGISTRATION=token',
  },
  {
    // Otherwise the next rotation would start before the new key of the last one has signed anything.
    variable: 'KEY_ROTATION_DAYS',
    when: (c) =>
      c.values.KEY_ROTATION_DAYS > 0 &&
      c.values.KEY_ROTATION_DAYS * 86400 <= c.values.JWKS_CACHE_SECONDS,
    problem: 'is not longer than JWKS_CACHE_SECONDS',
    expected: 'more days, or 0 to rotate by hand, e.g. 90',
  },
];

/** Allowed, but probably not what was meant. */
const WARNINGS: readonly { readonly when: (c: Context) => unknown; readonly text: string }[] = [
  {
    when: (c) => production(c) && c.sandboxEnabled,
    text: 'ALLOW_SANDBOX: THE SANDBOX IS REACHABLE BEHIND A PUBLIC ADDRESS. Anyone can sign in with its test users. Never do this with real data.',
  },
  {
    when: (c) => c.loopback && c.given.HOST && !LOCAL_HOSTS.test(c.given.HOST),
    text: 'HOST is open to other machines while PUBLIC_URL is loopback, so development rules hold for them too.',
  },
  {
    when: (c) => c.given.REDIS_URL && c.given.SQLITE_PATH,
    text: 'SQLITE_PATH is ignored, because REDIS_URL is given.',
  },
  {
    when: (c) => c.given.REDIS_SENTINEL_NAME && c.values.REDIS_MODE !== 'sentinel',
    text: 'REDIS_SENTINEL_NAME is ignored, because REDIS_MODE is not sentinel.',
  },
  {
    when: (c) => c.given.REGISTRATION_TOKEN && c.values.REGISTRATION !== 'token',
    text: 'REGISTRATION_TOKEN is ignored, because REGISTRATION is not token.',
  },
  {
    when: (c) => c.given.ALLOW_SANDBOX && !c.sandboxEnabled && c.values.ALLOW_SANDBOX,
    text: 'ALLOW_SANDBOX has no effect, because NEONPANEL_URL is given or SANDBOX_PORT is 0.',
  },
  {
    // The key set is served with max-age=300.
    when: (c) => production(c) && c.values.JWKS_CACHE_SECONDS < 300,
    text: 'JWKS_CACHE_SECONDS is below 300: a rotated key may sign before everyone has fetched it.',
  },
];

const LOCAL_HOSTS = /^(localhost|.+\.localhost|127\..*|::1)$/i;

/** Goes through every rule. */
export function crossChecks(context: Context): { problems: ConfigProblem[]; warnings: string[] } {
  const broken = RULES.filter((rule) => rule.when(context));
  return {
    problems: broken.map(({ variable, problem, expected }) => ({
      variable,
      problem,
      expected: expected ?? expectedForm(variable),
    })),
    warnings: WARNINGS.filter((w) => w.when(context)).map((w) => w.text),
  };
}

/** The form a variable must have, with an example. */
export function expectedForm(variable: Variable): string {
  const { expected, example } = aboutVariable(variable);
  return `${expected}, e.g. ${example}`;
}
