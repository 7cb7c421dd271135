import { openConsent } from '../login-support.ts';
import type { Harness } from '../support/harness.ts';

/** What an address is for; everything that must hold for it follows from this. */
export type Kind =
  /** Public facts for programs: any origin, five minutes. */
  | 'document'
  /** The word by which somebody sees that the domain is ours: like a document, in plain text. */
  | 'proof'
  /** OAuth endpoints that take a POST: any origin, never kept. */
  | 'endpoint'
  /** Pages with cookies: nobody else's business. */
  | 'page'
  /** MCP: the origins that are listed. */
  | 'mcp'
  /** Where old clients post, with the CORS of `mcp`; whoever does not post is told so before anything else. */
  | 'messages'
  | 'front door'
  | 'asset'
  | 'health';

export interface Route {
  readonly path: string;
  readonly kind: Kind;
  /** Methods that are served, OPTIONS aside. */
  readonly methods: readonly string[];
}

const SUFFIXES = ['', '/mcp', '/sse'];
/** The id of no interaction. */
export const UID = 'a'.repeat(43);

/** Without it that address is a 404 like any other. */
export const PROOF = { OPENAI_APPS_CHALLENGE: 'v1.kZq-7_ownership' };

/** Every address there is. */
export const ROUTES: readonly Route[] = [
  ...SUFFIXES.flatMap((suffix) => [
    document(`/.well-known/oauth-authorization-server${suffix}`),
    document(`/.well-known/openid-configuration${suffix}`),
    document(`/.well-known/oauth-protected-resource${suffix}`),
  ]),
  document('/.well-known/jwks.json'),
  document('/openapi.json'),
  { ...document('/.well-known/openai-apps-challenge'), kind: 'proof' },
  ...['token', 'register', 'revoke', 'introspect'].map((name): Route => ({
    path: `/oauth2/${name}`,
    kind: 'endpoint',
    methods: ['POST'],
  })),
  { path: '/oauth2/authorize', kind: 'page', methods: ['GET'] },
  { path: '/oauth2/authorize/callback', kind: 'page', methods: ['GET'] },
  { path: `/oauth2/authorize/${UID}`, kind: 'page', methods: ['GET'] },
  { path: `/interaction/${UID}`, kind: 'page', methods: ['GET', 'POST'] },
  { path: '/account', kind: 'page', methods: ['GET'] },
  { path: '/account/', kind: 'page', methods: ['GET'] },
  { path: '/account/sign-in', kind: 'page', methods: ['GET', 'POST'] },
  { path: '/account/sign-out', kind: 'page', methods: ['GET', 'POST'] },
  { path: '/account/disconnect', kind: 'page', methods: ['GET', 'POST'] },
  { path: `/account/disconnect/${UID}`, kind: 'page', methods: ['GET', 'POST'] },
  { path: '/mcp', kind: 'mcp', methods: ['POST'] },
  { path: '/mcp/', kind: 'mcp', methods: ['POST'] },
  { path: '/sse', kind: 'mcp', methods: ['GET', 'HEAD'] },
  { path: '/sse/', kind: 'mcp', methods: ['GET', 'HEAD'] },
  { path: '/messages', kind: 'messages', methods: ['POST'] },
  { path: '/messages/', kind: 'messages', methods: ['POST'] },
  { path: '/', kind: 'front door', methods: ['GET', 'HEAD', 'POST'] },
  { path: '/assets/style.css', kind: 'asset', methods: ['GET', 'HEAD'] },
  { path: '/assets/icon.svg', kind: 'asset', methods: ['GET', 'HEAD'] },
  { path: '/assets/copy.js', kind: 'asset', methods: ['GET', 'HEAD'] },
  { path: '/robots.txt', kind: 'asset', methods: ['GET', 'HEAD'] },
  ...['/healthz', '/health', '/readyz'].map((path): Route => ({
    path,
    kind: 'health',
    methods: ['GET', 'HEAD'],
  })),
];

function document(path: string): Route {
  return { path, kind: 'document', methods: ['GET', 'HEAD'] };
}

/** A request that has come as far as its question: what it takes to see a page of it. */
export async function openQuestion(harness: Harness) {
  const started = await openConsent(harness);
  const cookie = started.browser.cookies(started.page.url).join('; ');
  const csrf = started.page.form().fields.get('csrf')!;
  return { ...started, cookie, csrf, path: new URL(started.page.url).pathname };
}
