import { join } from 'node:path';
import { isLoopbackHostname } from './config/forms.ts';
import {
  crossChecks,
  expectedForm,
  type ConfigProblem,
  type Given,
  type Place,
} from './config/rules.ts';
import { environment, VARIABLES, type Environment, type Variable } from './config/schema.ts';
import { suspectVariables } from './config/spelling.ts';

export { isLoopbackHostname, type ConfigProblem };

/** Where sessions live: one file on this machine, or Redis for several instances. */
export type StoreConfig =
  | { readonly kind: 'sqlite'; readonly path: string }
  | {
      readonly kind: 'redis';
      readonly mode: 'single' | 'cluster' | 'sentinel';
      readonly urls: readonly string[];
      readonly sentinelName?: string;
    };

/** Everything the environment decides, typed and frozen. */
export interface Config {
  readonly port: number;
  readonly host: string;
  /** Issuer and base of every URL: an origin without trailing slash. */
  readonly publicUrl: string;
  /** PUBLIC_URL names this machine. */
  readonly loopback: boolean;
  /** Production rules hold: PUBLIC_URL is not loopback, whatever NODE_ENV says. */
  readonly production: boolean;
  readonly sandbox: { readonly enabled: boolean; readonly port: number };
  /** Port of /metrics on loopback; 0 = off. */
  readonly adminPort: number;
  readonly store: StoreConfig;
  /** The first seals, all open. Undefined: generated once into dataDir (loopback only). */
  readonly masterKeys: readonly Uint8Array[] | undefined;
  /** Directory of generated things. */
  readonly dataDir: string;
  readonly neonpanel: {
    readonly url: string;
    readonly apiUrl: string;
    /** Undefined: register there once and keep the result. */
    readonly clientId?: string;
    readonly clientSecret?: string;
    readonly scope: string;
    readonly arrayStyle: 'brackets' | 'repeat';
  };
  readonly accessTokenTtlSeconds: number;
  readonly codeTtlSeconds: number;
  readonly refreshTokenTtlSeconds: number;
  readonly refreshGraceSeconds: number;
  readonly trustedProxyHops: number;
  /** Browser origins that may call /mcp. Own origin first; the entry `loopback` stands for every loopback origin. */
  readonly allowedOrigins: readonly string[];
  /** Private-use schemes accepted in redirect URIs, without colon. */
  readonly redirectSchemes: readonly string[];
  readonly registration: {
    readonly mode: 'open' | 'token' | 'closed';
    readonly token?: string;
  };
  readonly cimdTestOrigin?: string;
  readonly publicDiscovery: boolean;
  readonly jwksCacheSeconds: number;
  readonly keyRotationDays: number;
  readonly rateLimitFactor: number;
  readonly brand: {
    readonly name: string;
    /** Path of a file that we serve ourselves. */
    readonly logo?: string;
    readonly color?: string;
  };
  readonly supportUrl?: string;
  readonly openaiAppsChallenge?: string;
  readonly logLevel: string;
  /** Things that are allowed but probably not meant; printed at start. */
  readonly warnings: readonly string[];
}

/** The environment cannot be used. Its message lists every mistake, one line each. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  constructor(problems: readonly ConfigProblem[]) {
    const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
    const lines = problems.map((p) => `  ${p.variable}: ${p.problem}; expected ${p.expected}`);
    super([`${count} in the environment:`, ...lines].join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

/**
 * Reads the configuration. An empty variable counts as not given.
 *
 * @param env usually `process.env`
 * @throws ConfigError with every mistake found, not just the first
 */
export function loadConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const given = givenVariables(env);
  const { values, malformed } = parse(given);
  const place = locate(given, values);
  const { problems, warnings } = crossChecks({ given, values, ...place });

  const found = [...malformed.map(describeMalformed), ...problems];
  if (found.length > 0) throw new ConfigError(inTableOrder(found));
  return freeze(assemble(values, place, [...suspectVariables(env), ...warnings]));
}

function givenVariables(env: Readonly<Record<string, string | undefined>>): Given {
  const entries = VARIABLES.map((name) => [name, env[name]?.trim()] as const);
  return Object.fromEntries(entries.filter(([, value]) => value));
}

/** Malformed values are replaced by their defaults, so that the rules across variables can still be checked. */
function parse(given: Given): { values: Environment; malformed: Variable[] } {
  const result = environment.safeParse(given);
  if (result.success) return { values: result.data, malformed: [] };
  const wrong = new Set(result.error.issues.map((issue) => String(issue.path[0])));
  const sound = Object.entries(given).filter(([name]) => !wrong.has(name));
  return {
    values: environment.parse(Object.fromEntries(sound)),
    malformed: VARIABLES.filter((name) => wrong.has(name)),
  };
}

function describeMalformed(variable: Variable): ConfigProblem {
  return { variable, problem: 'is malformed', expected: expectedForm(variable) };
}

/** A PUBLIC_URL we cannot read was certainly not meant for a laptop: production rules are checked for it as well. */
function locate(given: Given, values: Environment): Place {
  const host = URL.parse(given.PUBLIC_URL ?? 'http://localhost')?.hostname;
  const loopback = host !== undefined && isLoopbackHostname(host);
  const wanted = given.NEONPANEL_URL === undefined && values.SANDBOX_PORT !== 0;
  return { loopback, sandboxEnabled: wanted && (loopback || values.ALLOW_SANDBOX) };
}

function inTableOrder(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const rank = (p: ConfigProblem): number => VARIABLES.indexOf(p.variable as Variable);
  return problems.toSorted((a, b) => rank(a) - rank(b));
}

function assemble(values: Environment, place: Place, warnings: string[]): Config {
  const { loopback, sandboxEnabled } = place;
  const publicUrl = values.PUBLIC_URL ?? `http://localhost:${values.PORT}`;
  const neonpanelUrl = values.NEONPANEL_URL ?? `http://localhost:${values.SANDBOX_PORT}`;
  return {
    port: values.PORT,
    host: values.HOST ?? (loopback ? 'localhost' : '::'),
    publicUrl,
    loopback,
    production: !loopback,
    sandbox: { enabled: sandboxEnabled, port: values.SANDBOX_PORT },
    adminPort: values.ADMIN_PORT,
    store: storeOf(values),
    masterKeys: values.MASTER_KEYS,
    dataDir: values.DATA_DIR,
    neonpanel: {
      url: neonpanelUrl,
      apiUrl: values.NEONPANEL_API_URL ?? `${neonpanelUrl}/api/v1`,
      ...optional('clientId', values.NEONPANEL_CLIENT_ID),
      ...optional('clientSecret', values.NEONPANEL_CLIENT_SECRET),
      scope: values.NEONPANEL_SCOPE,
      arrayStyle: values.NEONPANEL_ARRAY_STYLE,
    },
    accessTokenTtlSeconds: values.ACCESS_TOKEN_TTL_SECONDS,
    codeTtlSeconds: values.CODE_TTL_SECONDS,
    refreshTokenTtlSeconds: values.REFRESH_TOKEN_TTL_SECONDS,
    refreshGraceSeconds: values.REFRESH_GRACE_SECONDS,
    trustedProxyHops: values.TRUSTED_PROXY_HOPS,
    allowedOrigins: [...new Set([publicUrl, ...(values.ALLOWED_ORIGINS ?? ['loopback'])])],
    redirectSchemes: values.REDIRECT_SCHEMES,
    registration: {
      mode: values.REGISTRATION,
      ...(values.REGISTRATION === 'token' && optional('token', values.REGISTRATION_TOKEN)),
    },
    ...optional('cimdTestOrigin', values.CIMD_TEST_ORIGIN),
    publicDiscovery: values.PUBLIC_DISCOVERY,
    jwksCacheSeconds: values.JWKS_CACHE_SECONDS,
    keyRotationDays: values.KEY_ROTATION_DAYS,
    rateLimitFactor: values.RATE_LIMIT_FACTOR,
    brand: {
      name: values.BRAND_NAME,
      ...optional('logo', values.BRAND_LOGO),
      ...optional('color', values.BRAND_COLOR),
    },
    ...optional('supportUrl', values.SUPPORT_URL),
    ...optional('openaiAppsChallenge', values.OPENAI_APPS_CHALLENGE),
    logLevel: values.LOG_LEVEL,
    warnings,
  };
}

function storeOf(values: Environment): StoreConfig {
  if (!values.REDIS_URL) {
    const path = values.SQLITE_PATH ?? join(values.DATA_DIR, 'neonpanel-mcp.db');
    return { kind: 'sqlite', path };
  }
  const sentinel = values.REDIS_MODE === 'sentinel' ? values.REDIS_SENTINEL_NAME : undefined;
  return {
    kind: 'redis',
    mode: values.REDIS_MODE,
    urls: values.REDIS_URL,
    ...optional('sentinelName', sentinel),
  };
}

/** A property that is absent rather than undefined. */
function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });
}

/** Key bytes stay as they are: typed arrays cannot be frozen. */
function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  Object.values(value).forEach(freeze);
  return Object.freeze(value);
}

/** The configuration as the start log shows it: effective values, no secrets. */
export function describeConfig(config: Config): Record<string, unknown> {
  const { masterKeys, store, neonpanel, registration, openaiAppsChallenge, ...plain } = config;
  const { clientSecret, ...neonpanelPlain } = neonpanel;
  return {
    ...plain,
    masterKeys: masterKeys ? `${masterKeys.length} given` : 'generated',
    store: store.kind === 'redis' ? { ...store, urls: store.urls.map(withoutPassword) } : store,
    neonpanel: { ...neonpanelPlain, clientSecret: clientSecret ? 'given' : 'none' },
    registration: registration.mode,
    openaiAppsChallenge: openaiAppsChallenge ? 'given' : 'none',
  };
}

function withoutPassword(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}
