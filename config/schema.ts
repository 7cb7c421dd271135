import { isIP } from 'node:net';
import * as z from 'zod';
import {
  decodeKey,
  flag,
  FOREIGN_SCHEMES,
  isLabel,
  isLoopbackHostname,
  isOrigin,
  isRedisUrl,
  isSupportPage,
  list,
  oneOf,
  PRINTABLE,
  secureUrl,
  text,
  toOrigin,
  whole,
  withoutFinalSlash,
} from './forms.ts';

/**
 * The environment, variable by variable: what each means, the form it must have, and what it is when it is not given.
 * Rules that concern several variables at once are in rules.ts. `.env.example` is written from this file.
 */

/** What an operator is told about a variable. Never contains a value that somebody set. */
export interface About {
  /** One line for .env.example. */
  readonly about: string;
  /** The form a value must have, put after "expected". */
  readonly expected: string;
  /** A value of that form. */
  readonly example: string;
  /** What holds when the variable is not given, in words for .env.example. */
  readonly fallback?: string;
}

export const environment = z.object({
  PORT: whole(1, 65535, 'Port to listen on.', 3000),
  HOST: text((v) => isIP(v) !== 0 || /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(v))
    .optional()
    .meta({
      about: 'Address to listen on.',
      expected: 'a host name or an IP address, without scheme, port or brackets',
      example: '127.0.0.1',
      fallback: 'localhost; every interface when PUBLIC_URL is not loopback',
    }),
  PUBLIC_URL: text(isOrigin).transform(toOrigin).optional().meta({
    about: 'Issuer and base of every URL. A value that is not loopback turns production rules on.',
    expected: 'an https origin without path (http only for localhost)',
    example: 'https://mcp.neonpanel.com',
    fallback: 'http://localhost:PORT',
  }),
  REDIS_URL: list(isRedisUrl).optional().meta({
    about: 'Redis as the store; several nodes comma-separated for cluster and sentinel.',
    expected:
      'redis://[user:password@]host:port[/db] or rediss://…, comma-separated for several nodes',
    example: 'rediss://redis.internal:6379',
    fallback: 'the embedded SQLite store',
  }),
  REDIS_MODE: oneOf(['single', 'cluster', 'sentinel'], 'What stands behind REDIS_URL.'),
  REDIS_SENTINEL_NAME: text((v) => /^[\w.-]{1,64}$/.test(v))
    .optional()
    .meta({
      about: 'Name of the primary that the sentinels watch.',
      expected: 'up to 64 letters, digits, dots, dashes and underscores',
      example: 'mymaster',
    }),
  SQLITE_PATH: text((v) => !v.includes('\0') && !v.startsWith(':') && !v.startsWith('file:'))
    .optional()
    .meta({
      about: 'File of the embedded store; must be given in production unless REDIS_URL is.',
      expected: 'the path of a file (not :memory:, sessions must survive a restart)',
      example: '/var/lib/neonpanel-mcp/store.db',
      fallback: '.data/neonpanel-mcp.db',
    }),
  MASTER_KEYS: z
    .string()
    .transform((value) => value.split(',').map((key) => decodeKey(key.trim())))
    .refine((keys) => keys.every((key) => key !== undefined))
    .refine(
      (keys) =>
        new Set(keys.map((key) => Buffer.from(key ?? []).toString('hex'))).size === keys.length,
    )
    .transform((keys) => keys.filter((key) => key !== undefined))
    .optional()
    .meta({
      about: 'Keys that everything secret derives from: the first seals, all open.',
      expected:
        'one or more different 32-byte keys, base64url without padding (43 characters each), comma-separated',
      example: `the output of: node -p "crypto.randomBytes(32).toString('base64url')"`,
      fallback: 'generated once into .data/ (loopback only)',
    }),
  NEONPANEL_URL: text((v) => secureUrl(v) !== undefined)
    .transform(withoutFinalSlash)
    .optional()
    .meta({
      about: 'NeonPanel: its OAuth server and the API below it.',
      expected: 'an https URL (http only for localhost)',
      example: 'https://my.neonpanel.com',
      fallback: 'the sandbox',
    }),
  NEONPANEL_API_URL: text((v) => secureUrl(v) !== undefined)
    .transform(withoutFinalSlash)
    .optional()
    .meta({
      about: 'Base of the NeonPanel REST API.',
      expected: 'an https URL (http only for localhost)',
      example: 'https://my.neonpanel.com/api/v1',
      fallback: 'NEONPANEL_URL/api/v1',
    }),
  NEONPANEL_CLIENT_ID: text((v) => v.length <= 256 && PRINTABLE.test(v))
    .optional()
    .meta({
      about: 'Our client at NeonPanel.',
      expected: 'up to 256 printable characters without spaces',
      example: 'neonpanel-mcp',
      fallback: 'registered at NeonPanel once and kept (loopback only)',
    }),
  NEONPANEL_CLIENT_SECRET: text((v) => v.length <= 512 && PRINTABLE.test(v))
    .optional()
    .meta({
      about: 'Its secret, if it is a confidential client.',
      expected: 'up to 512 printable characters without spaces',
      example: 'the secret shown when the client was registered',
    }),
  NEONPANEL_SCOPE: text((v) => /^[\x21\x23-\x5b\x5d-\x7e]+( [\x21\x23-\x5b\x5d-\x7e]+)*$/.test(v))
    .prefault('openid')
    .meta({
      about: 'Scope asked for at NeonPanel.',
      expected: 'scope names separated by single spaces',
      example: 'openid',
      fallback: 'openid',
    }),
  NEONPANEL_ARRAY_STYLE: oneOf(
    ['brackets', 'repeat'],
    'How arrays go into API queries: brackets (k[]=a) or repeat (k=a&k=b).',
  ),
  ALLOW_SANDBOX: flag('Keep the sandbox behind an https PUBLIC_URL, to try clients via a tunnel.'),
  SANDBOX_PORT: whole(0, 65535, 'Port of the sandbox NeonPanel; 0 = off.', 3100),
  ADMIN_PORT: whole(0, 65535, 'Port of /metrics, on loopback only; 0 = off.', 0),
  ACCESS_TOKEN_TTL_SECONDS: whole(1, 86400, 'Life of an access token.', 3600, 'seconds'),
  CODE_TTL_SECONDS: whole(1, 600, 'Life of an authorization code.', 60, 'seconds'),
  REFRESH_TOKEN_TTL_SECONDS: whole(
    1,
    31536000,
    'Life of a connection after its last refresh.',
    7776000,
    'seconds',
  ),
  REFRESH_GRACE_SECONDS: whole(
    0,
    3600,
    'How long the previous refresh token gets the same successor; 0 = never.',
    60,
    'seconds',
  ),
  TRUSTED_PROXY_HOPS: whole(0, 10, 'How many X-Forwarded-For hops are ours (a balancer: 1).', 0),
  ALLOWED_ORIGINS: list((v) => v === 'loopback' || isOrigin(v))
    .transform((entries) => entries.map((v) => (v === 'loopback' ? v : toOrigin(v))))
    .optional()
    .meta({
      about: 'Browser origins that may call /mcp, besides our own; "loopback" stands for any.',
      expected: 'https origins without path, or the word loopback, comma-separated',
      example: 'https://inspector.example.com,loopback',
      fallback: 'loopback',
    }),
  REDIRECT_SCHEMES: list((v) => /^[a-z][a-z0-9+.-]{1,63}$/.test(v) && !FOREIGN_SCHEMES.test(v))
    .prefault('cursor,vscode,vscode-insiders,windsurf,claude')
    .meta({
      about: 'Private-use schemes accepted in redirect URIs (RFC 8252 §7.1).',
      expected:
        'lower-case scheme names without colon, comma-separated; none that browsers or systems use themselves',
      example: 'cursor,vscode',
      fallback: 'cursor,vscode,vscode-insiders,windsurf,claude',
    }),
  REGISTRATION: oneOf(
    ['open', 'token', 'closed'],
    'Who may become a client: anyone (also by document), holders of REGISTRATION_TOKEN, nobody.',
  ),
  REGISTRATION_TOKEN: text((v) => /^[\w.~+/-]{16,256}=*$/.test(v))
    .optional()
    .meta({
      about: 'The initial access token of REGISTRATION=token (RFC 7591 §3).',
      expected: '16 to 256 characters of a bearer token (RFC 6750 §2.1)',
      example: `the output of: node -p "crypto.randomBytes(32).toString('base64url')"`,
    }),
  CIMD_TEST_ORIGIN: text((v) => isOrigin(v) && isLoopbackHostname(new URL(v).hostname))
    .transform(toOrigin)
    .optional()
    .meta({
      about: 'One loopback origin that client metadata documents may be fetched from, for tests.',
      expected: 'an origin on localhost or a loopback address',
      example: 'http://localhost:4000',
    }),
  PUBLIC_DISCOVERY: flag('Let anyone initialize and list the tools without a token.'),
  JWKS_CACHE_SECONDS: whole(
    0,
    604800,
    'How long a new signing key is published before it signs.',
    86400,
    'seconds',
  ),
  KEY_ROTATION_DAYS: whole(0, 3650, 'Rotate the signing key by schedule; 0 = by hand.', 0, 'days'),
  RATE_LIMIT_FACTOR: z
    .string()
    .regex(/^\d{1,4}(\.\d{1,3})?$/)
    .transform(Number)
    .refine((n) => n <= 1000)
    .prefault('1')
    .meta({
      about: 'Multiplies every limit; 0 turns them off (loopback only).',
      expected: 'a number from 0 to 1000, e.g. 0.5',
      example: '2',
      fallback: '1',
    }),
  BRAND_NAME: text(isLabel).prefault('NeonPanel').meta({
    about: 'Name on the pages.',
    expected: 'up to 60 characters on one line',
    example: 'NeonPanel',
    fallback: 'NeonPanel',
  }),
  BRAND_LOGO: text((v) => /\.(svg|png)$/i.test(v) && !v.includes('\0') && !v.includes('://'))
    .optional()
    .meta({
      about: 'Logo on the pages; served by us, because pages load nothing from elsewhere.',
      expected: 'the path of an .svg or .png file of at most 200 KiB',
      example: 'branding/logo.svg',
    }),
  BRAND_COLOR: text((v) => /^#[0-9a-f]{6}$/i.test(v))
    .optional()
    .meta({
      about: 'Accent colour of the pages; made lighter or darker where it could not be read.',
      expected: 'a colour as #rrggbb',
      example: '#5b21b6',
    }),
  SUPPORT_URL: text((v) =>
    v.startsWith('mailto:') ? /^mailto:[^\s@]+@[^\s@?]+$/.test(v) : isSupportPage(v),
  )
    .optional()
    .meta({
      about: 'Where pages send people who need help.',
      expected: 'an https URL or a mailto: address',
      example: 'https://neonpanel.com/support',
    }),
  OPENAI_APPS_CHALLENGE: text((v) => v.length <= 512 && PRINTABLE.test(v))
    .optional()
    .meta({
      about: 'Text that /.well-known/openai-apps-challenge answers, to prove the domain is ours.',
      expected: 'up to 512 printable characters without spaces',
      example: 'the token shown in the ChatGPT app form',
    }),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
    .prefault('info')
    .meta({
      about: 'What is logged; the audit log (docs/audit.md) at every level but silent.',
      expected: 'one of trace, debug, info, warn, error, fatal, silent',
      example: 'debug',
      fallback: 'info',
    }),
  DATA_DIR: text((v) => !v.includes('\0'))
    .prefault('.data')
    .meta({
      about: 'Directory of generated things and of the default SQLITE_PATH.',
      expected: 'the path of a directory',
      example: '.data',
      fallback: '.data',
    }),
});

export type Environment = z.output<typeof environment>;
export type Variable = keyof Environment;

/** Every variable, in the order in which they are documented. */
export const VARIABLES = Object.keys(environment.shape) as Variable[];

/** What an operator is told about a variable. */
export const aboutVariable = (name: Variable): About =>
  environment.shape[name].meta() as unknown as About;
