import { createHash, randomBytes } from 'node:crypto';
import { createHeadlessBrowser, type Page } from '../../cli/headless-browser.ts';
import { type Answer, ask, fetch, jsonOf, postForm, postJson } from './http.ts';
import { seller } from '../sellers.ts';
import type { Authority } from './protocol.ts';

/** One client with its user, at one authorization server. */
export interface Visitor {
  /** The whole way: registration, consent where there is one, login, code, tokens. */
  connect(): Promise<Connection>;
  refresh(connection: Connection): Promise<Connection>;
}

export interface Connection {
  readonly clientId: string;
  readonly accessToken: string;
  readonly refreshToken: string;
}

/** Where its endpoints are, and what it wants to hear. */
interface Manners {
  readonly register: string;
  readonly authorize: string;
  readonly token: string;
  readonly scope: string;
  readonly resource?: (origin: string) => string;
  /** From the authorization request to the address that carries the code. */
  readonly signIn?: (url: URL, authority: Authority, cookie: string) => Promise<URL>;
  /** What has to be done once, outside of the measurement. @returns the cookie of its session */
  readonly prepare?: (authority: Authority) => Promise<string>;
}

const REDIRECT_URI = 'https://client.example/callback';

const MANNERS: Readonly<Record<Authority['kind'], Manners>> = {
  ours: {
    register: '/oauth2/register',
    authorize: '/oauth2/authorize',
    token: '/oauth2/token',
    scope: 'neonpanel.read neonpanel.write',
    resource: (origin) => `${origin}/mcp`,
    signIn: throughOurPages,
  },
  'oidc-provider': {
    register: '/reg',
    authorize: '/auth',
    token: '/token',
    scope: 'read offline_access',
    resource: (origin) => `${origin}/mcp`,
  },
  'workers-oauth-provider': {
    register: '/register',
    authorize: '/authorize',
    token: '/token',
    scope: 'read',
    resource: (origin) => `${origin}/mcp`,
  },
  'better-auth': {
    register: '/api/auth/oauth2/register',
    authorize: '/api/auth/oauth2/authorize',
    token: '/api/auth/oauth2/token',
    scope: 'read offline_access',
    resource: (origin) => `${origin}/mcp`,
    prepare: signInToBetterAuth,
    signIn: throughBetterAuth,
  },
  rs256: { register: '/', authorize: '/', token: '/', scope: 'read' },
};

export async function createVisitor(authority: Authority): Promise<Visitor> {
  const { origin, kind } = authority;
  const manners = MANNERS[kind];
  const { scope } = manners;
  const resource = manners.resource && { resource: manners.resource(origin) };
  const cookie = (await manners.prepare?.(authority)) ?? '';

  return {
    async connect() {
      // Nothing to sign in to: it answers any request with a token.
      if (kind === 'rs256') return connectionOf('client', await postForm(origin, {}));
      const clientId = await register();
      const verifier = randomBytes(32).toString('base64url');
      const url = new URL(origin + manners.authorize);
      url.search = new URLSearchParams({
        response_type: 'code',
        client_id: clientId,
        redirect_uri: REDIRECT_URI,
        state: randomBytes(12).toString('base64url'),
        scope,
        ...resource,
        code_challenge: createHash('sha256').update(verifier).digest('base64url'),
        code_challenge_method: 'S256',
        // OpenID Connect Core §11: without it there is no refresh token.
        ...(kind === 'oidc-provider' && { prompt: 'consent' }),
      }).toString();
      const end = await (manners.signIn ?? straight)(url, authority, cookie);
      const code = end.searchParams.get('code');
      if (code === null) throw new Error(`${kind}: no code in ${end.search}`);
      const answer = await postForm(origin + manners.token, {
        grant_type: 'authorization_code',
        client_id: clientId,
        code,
        redirect_uri: REDIRECT_URI,
        code_verifier: verifier,
        ...resource,
      });
      return connectionOf(clientId, answer);
    },

    async refresh({ clientId, refreshToken }) {
      const answer = await postForm(origin + manners.token, {
        grant_type: 'refresh_token',
        client_id: clientId,
        refresh_token: refreshToken,
        ...resource,
      });
      return connectionOf(clientId, answer);
    },
  };

  async function register(): Promise<string> {
    const answer = await postJson(origin + manners.register, {
      client_name: 'Bench',
      redirect_uris: [REDIRECT_URI],
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      scope: kind === 'better-auth' ? scope : undefined,
    });
    if (answer.status !== 200 && answer.status !== 201) {
      throw new Error(`${kind}: registration: ${answer.status} ${answer.text}`);
    }
    return (JSON.parse(answer.text) as { client_id: string }).client_id;
  }
}

function connectionOf(clientId: string, answer: Answer): Connection {
  const tokens = jsonOf<Record<string, string>>(answer, 200);
  const { access_token: accessToken, refresh_token: refreshToken } = tokens;
  if (!accessToken || !refreshToken) throw new Error(`no tokens: ${answer.text}`);
  return { clientId, accessToken, refreshToken };
}

const browser = () => createHeadlessBrowser((url) => url.href.startsWith(REDIRECT_URI), fetch);

/** It signs in and consents by itself. */
async function straight(url: URL): Promise<URL> {
  return arrived(await browser().visit(url));
}

let signIns = 0;

/** Our consent page, then NeonPanel's login, each time as somebody else. */
async function throughOurPages(url: URL): Promise<URL> {
  const { visit, submit } = browser();
  const consent = await visit(url);
  const login = await submit(consent, { decision: 'approve', scope: 'neonpanel.write' });
  return arrived(await submit(login, { ...seller(signIns++) }));
}

function arrived({ url, status, html }: Page): URL {
  if (url.href.startsWith(REDIRECT_URI)) return url;
  throw new Error(`the sign-in ended at ${url.href}: ${status} ${html.slice(0, 500)}`);
}

/** The session of a user who is signed in already. */
async function signInToBetterAuth({ origin, user }: Authority): Promise<string> {
  const answer = await postJson(`${origin}/api/auth/sign-in/email`, user, { origin });
  jsonOf(answer, 200);
  return answer.headers
    .getSetCookie()
    .map((line) => line.split(';')[0]!)
    .join('; ');
}

/** Its consent page is the application's; what it posts is what counts. */
async function throughBetterAuth(url: URL, { origin }: Authority, cookie: string): Promise<URL> {
  const shown = await ask(url, { headers: { cookie, accept: 'text/html' } });
  const location = shown.headers.get('location') ?? '';
  const consented = await postJson(
    `${origin}/api/auth/oauth2/consent`,
    { accept: true, oauth_query: new URL(location, origin).search.slice(1) },
    { cookie, origin },
  );
  const { redirectURI, url: next } = jsonOf<{ redirectURI?: string; url?: string }>(consented, 200);
  return new URL((redirectURI ?? next)!);
}
