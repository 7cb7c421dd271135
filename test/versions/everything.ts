import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assertionForm, assertionKey, clientAssertion } from '../client-auth.ts';
import { approve, isCallback, openConsent } from '../login-support.ts';
import { admin } from '../support/admin.ts';
import type { Browser } from '../support/browser.ts';
import type { Harness } from '../support/harness.ts';
import {
  answerLogin,
  authorizationRequest,
  callTool,
  connect,
  postJson,
  refresh,
  register,
  signIn,
  type TestClient,
  token,
} from '../support/oauth.ts';

/**
 * What clients and people hold when a server has written at least one record of every kind: enough to find out whether
 * another version reads them.
 */
export interface Held {
  /** A connection that was refreshed once, of a client with a secret. */
  readonly connection: {
    readonly client: TestClient;
    readonly accessToken: string;
    readonly previous: string;
    readonly newest: string;
  };
  /** A code that nobody has redeemed yet. */
  readonly code: { client: TestClient; code: string; verifier: string; redirectUri: string };
  /** Somebody who looks at the consent page: its path, and the browser's cookies. */
  readonly person: { readonly path: string; readonly cookie: string };
  /** Somebody who comes back from NeonPanel's login. */
  readonly login: { readonly path: string; readonly cookie: string };
  readonly service: { readonly client_id: string; readonly client_secret: string };
  /** A bill that was created under an idempotency key, and what came of it. */
  readonly bill: { readonly args: Record<string, unknown>; readonly result: unknown };
  /** A token request whose assertion was used. */
  readonly used: Record<string, string>;
}

export async function writeEverything(harness: Harness): Promise<Held> {
  const { url } = harness;
  const { client, tokens } = await connect(harness, {
    metadata: { token_endpoint_auth_method: 'client_secret_post' },
    parameters: { scope: 'openid neonpanel.read neonpanel.write offline_access', nonce: 'n-1' },
  });
  const rotated = (await refresh(url, client, tokens.refresh_token)).body;

  const attempt = authorizationRequest(url, (await register(url)).body);
  const code = (await signIn(harness, attempt)).searchParams.get('code')!;
  const { client: codeClient, verifier, redirectUri } = attempt;

  const waiting = await openConsent(harness);
  const leaving = await openConsent(harness);
  const login = await approve(harness, leaving);
  leaving.browser.stopAt(isCallback);
  const back = await answerLogin(await leaving.browser.goto(login), harness.sandbox.users[0]!);

  return {
    connection: {
      client,
      accessToken: rotated.access_token,
      previous: tokens.refresh_token,
      newest: rotated.refresh_token,
    },
    code: { client: codeClient, code, verifier, redirectUri },
    person: {
      path: new URL(waiting.page.url).pathname,
      cookie: cookieOf(waiting.browser, waiting.page.url),
    },
    login: {
      path: back.stoppedAt!.pathname + back.stoppedAt!.search,
      cookie: cookieOf(leaving.browser, back.stoppedAt!.href),
    },
    service: await createService(harness),
    bill: await createBill(url, rotated.access_token),
    used: await useAssertion(url),
  };
}

const cookieOf = (browser: Browser, url: string): string =>
  browser
    .cookies(url)
    .map(({ key, value }) => `${key}=${value}`)
    .join('; ');

async function createService(harness: Harness): Promise<Held['service']> {
  const { body } = await postJson<any>(`${harness.sandbox.url}/oauth2/register`, {
    client_name: 'Service',
    redirect_uris: ['https://service.example/unused'],
    grant_types: ['client_credentials'],
    token_endpoint_auth_method: 'client_secret_post',
    contacts: ['ada@harborpine.example'],
  });
  const dir = mkdtempSync(join(tmpdir(), 'neonpanel-mcp-versions-'));
  const file = join(dir, 'credential.json');
  const { client_id, client_secret } = body;
  writeFileSync(file, JSON.stringify({ client_id, client_secret }));
  const options = ['--service', '--name', 'Nightly report', '--auth-method', 'client_secret_post'];
  const credentials = ['--neonpanel-credentials', file, '--yes', '--json'];
  const made = await admin(harness, 'clients', 'create', ...options, ...credentials);
  rmSync(dir, { recursive: true });
  if (made.code !== 0) throw new Error(made.err);
  const { clientId, clientSecret } = made.json();
  const service = { client_id: clientId, client_secret: clientSecret };
  await token(harness.url, { grant_type: 'client_credentials', ...service });
  return service;
}

async function createBill(url: string, accessToken: string): Promise<Held['bill']> {
  const companies = (await callTool(url, accessToken, 'listCompanies')).body as any;
  const [{ uuid }] = companies.result.structuredContent.data;
  const file = { name: 'bill.pdf', link: 'https://files.example.com/bill.pdf' };
  const args = { type: 'bill', companyUuid: uuid, file, idempotencyKey: 'bill-1' };
  const answer = (await callTool(url, accessToken, 'createDocumentsByPdf', args)).body as any;
  return { args, result: answer.result.structuredContent };
}

async function useAssertion(url: string): Promise<Record<string, string>> {
  const key = await assertionKey('ES256');
  const { body: client } = await register(url, {
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    jwks: { keys: [key.publicJwk] },
  });
  const seconds = Math.floor(Date.now() / 1000);
  const assertion = await clientAssertion(key, client.client_id, {
    aud: url,
    iat: seconds,
    exp: seconds + 300,
  });
  const form = {
    grant_type: 'refresh_token',
    refresh_token: 'none',
    client_id: client.client_id,
    ...assertionForm(assertion),
  };
  const { status, body } = await token(url, form);
  if (status !== 400) throw new Error(`${status} ${JSON.stringify(body)}`);
  return form;
}
