import { DatabaseSync } from 'node:sqlite';
import type { ExecutionContext } from 'ava';
import type { Browser, Page } from './support/browser.ts';
import type { Harness } from './support/harness.ts';
import {
  answerConsent,
  type Answers,
  type Attempt,
  authorizationRequest,
  register,
  type TestClient,
  userBrowser,
} from './support/oauth.ts';

/** An authorization that has come as far as the consent page. */
export interface AtConsent {
  readonly attempt: Attempt;
  readonly browser: Browser;
  readonly page: Page;
  /** The interaction's id, which becomes the grant's. */
  readonly uid: string;
}

/** Registers a client, if none is given, and opens the consent page. */
export async function openConsent(
  harness: Harness,
  options: {
    client?: TestClient;
    metadata?: Record<string, unknown>;
    parameters?: Record<string, string | undefined>;
    browser?: Browser;
  } = {},
): Promise<AtConsent> {
  const client = options.client ?? (await register(harness.url, options.metadata)).body;
  const attempt = authorizationRequest(harness.url, client, options.parameters);
  const browser = options.browser ?? userBrowser(attempt);
  const page = await browser.goto(attempt.url);
  return { attempt, browser, page, uid: uidOf(page) };
}

export const uidOf = (page: Page): string => new URL(page.url).pathname.split('/').at(-1)!;

/** Approves, and stops before the browser goes to NeonPanel. @returns the address it was sent to */
export async function approve(
  harness: Harness,
  { browser, page, attempt }: Pick<AtConsent, 'browser' | 'page' | 'attempt'>,
  answers: Answers = {},
): Promise<URL> {
  browser.stopAt((url) => url.origin === harness.sandbox.url);
  const { stoppedAt, status, text } = await answerConsent(page, answers);
  stopAtClient(browser, attempt);
  if (!stoppedAt) throw new Error(`no redirect to NeonPanel: ${status} ${text}`);
  return stoppedAt;
}

export function stopAtClient(browser: Browser, attempt: Attempt): void {
  browser.stopAt((url) => url.href.startsWith(attempt.redirectUri));
}

export const isCallback = (url: URL): boolean => url.pathname === '/oauth2/authorize/callback';

/** Where the engine takes over again after NeonPanel's login. */
export const isResume = (url: URL): boolean =>
  /^\/oauth2\/authorize\/[\w-]{16,64}$/.test(url.pathname);

export interface StoredRecord {
  readonly tag: string;
  readonly kind: string;
  readonly value: string;
}

/** What is in the store's file now. */
export function storedRecords(harness: Pick<Harness, 'dataDir'>): StoredRecord[] {
  const db = new DatabaseSync(`${harness.dataDir}/neonpanel-mcp.db`, { readOnly: true });
  try {
    return db.prepare('SELECT tag, kind, value FROM records').all() as unknown as StoredRecord[];
  } finally {
    db.close();
  }
}

/** Kinds of the records that belong to one interaction. */
export const storedKinds = (harness: Pick<Harness, 'dataDir'>, uid: string): string[] =>
  storedRecords(harness)
    .filter(({ tag }) => tag === uid)
    .map(({ kind }) => kind)
    .sort();

/** Neither a grant, nor a code, nor a NeonPanel credential is in the store for this interaction. */
export function nothingGranted(t: ExecutionContext, harness: Harness, uid: string): void {
  const kinds = storedKinds(harness, uid);
  const granted = kinds.filter((kind) => ['grant', 'code', 'credential'].includes(kind));
  t.deepEqual(granted, [], `stored for ${uid}: ${kinds.join(', ')}`);
}

/** A page of ours that refuses: status, no way on to anybody, the request id that is in the log. */
export function refusedByPage(
  t: ExecutionContext,
  harness: Harness,
  page: Page,
  status: number,
): void {
  t.is(page.status, status, page.text);
  t.is(page.stoppedAt, undefined);
  t.regex(page.headers.get('content-type') ?? '', /^text\/html/);
  const code = page.dom.querySelector('.fine code')?.text ?? '';
  t.is(code, page.headers.get('x-request-id') ?? 'none');
  const lines = harness.logs.text().split('\n');
  const reasons = lines.filter(
    (line) => line.includes(code) && /"(event|outcome)":"refused"/.test(line),
  );
  t.true(reasons.length > 0, `a log line says why ${code} was refused`);
}
