import type { Asked, Distortion } from './proxy.ts';

/** One thing that is wrong, and what doctor has to say of it. */
export interface Mistake {
  /** Without ids: it is of another server. */
  readonly title: string;
  readonly distort: Distortion;
  /** The step that must name it. */
  readonly step: string;
  readonly cause: RegExp;
  /** It breaks some clients only. */
  readonly isWarning?: true;
  /** Other steps that meet the very same mistake, and rightly say so. */
  readonly also?: readonly string[];
  /** How many clients stay there. Default: one, if one could register. */
  readonly leaves?: number;
  /** Steps that can't be taken then. `rest`: any that come after. */
  readonly skips?: readonly string[] | 'rest';
}

/** All that needs an access token that works. */
export const WITH_TOKEN: readonly string[] = [
  'initialize',
  'server-discover',
  'tools-list',
  'tools-schemas',
  'tools-hints',
  'tools-size',
  'tools-call',
  'refresh',
  'refresh-parallel',
  'revocation',
];

/** What is looked at only behind a login, in its order. */
export const BEHIND_LOGIN: readonly string[] = [
  'sign-in',
  'wrong-verifier',
  'wrong-redirect',
  'token-response',
  'token-claims',
  'token-accepted',
  ...WITH_TOKEN,
  'code-reuse',
];

// Words that both tables use.

export const PRM = /^\/\.well-known\/oauth-protected-resource/;
export const PRM_MCP = '/.well-known/oauth-protected-resource/mcp';
export const OAUTH = '/.well-known/oauth-authorization-server';
export const OPENID = '/.well-known/openid-configuration';
export const SERVER = /^\/\.well-known\/(oauth-authorization-server|openid-configuration)/;
export const JWKS = '/.well-known/jwks.json';
export const TOKEN = '/oauth2/token';
export const REGISTER = '/oauth2/register';
export const AUTHORIZE = '/oauth2/authorize';
export const HTML = '<!doctype html><title>Not found</title><h1>Not found</h1>';
export const WALL = '<!doctype html><title>Just a moment...</title>';

export const METADATA_STEPS = ['resource-identifier', 'authorization-servers'];
export const AUTHORIZATION_STEPS = [
  'authorization-scopes',
  'authorization-resource',
  'pkce-required',
  'authorization-errors',
  'authorization-unknown-client',
  'consent-page',
  'redirect-exact',
  'redirect-loopback',
];
export const SHAPES = ['chatgpt', 'claude', 'claude-code', 'cursor', 'vscode'].map(
  (shape) => `register-${shape}`,
);

export const isAgent = (pattern: RegExp) => (asked: Asked) =>
  pattern.test(asked.headers['user-agent'] ?? '');
export const isMcp = ({ url, method }: Asked) => url.pathname === '/mcp' && method !== 'OPTIONS';
export const isPreflight = (path: string) => (asked: Asked) =>
  asked.method === 'OPTIONS' && asked.url.pathname === path;
export const isPost = (path: string) => (asked: Asked) =>
  asked.method === 'POST' && asked.url.pathname === path;
/** A registration whose text contains this. */
export const isRegistrationWith = (text: string) => (asked: Asked) =>
  asked.url.pathname === REGISTER && asked.body.includes(text);
export const refusal = (error: string) => ({ error, error_description: 'No.' });
