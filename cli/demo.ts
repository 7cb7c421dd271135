import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as oauth from 'oauth4webapi';
import { startApp } from '../app.ts';
import { loadConfig } from '../config.ts';
import { createLog } from '../log.ts';
import { startSandbox } from '../sandbox/index.ts';
import { createHeadlessBrowser } from './headless-browser.ts';

/**
 * `npm run demo`: server, sandbox and a scripted connector in one process. It connects the way ChatGPT does and prints
 * each step; it exits with 0 only if all of them worked.
 */
const REDIRECT_URI = 'https://connector.example/oauth/callback';

async function demo(): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'neonpanel-mcp-demo-'));
  const sandbox = await startSandbox({ port: await freePort() });
  const port = await freePort();
  const config = loadConfig({ PORT: String(port), DATA_DIR: dataDir, NEONPANEL_URL: sandbox.url });
  const app = await startApp(config, { log: createLog('silent') });
  say(`Server ${config.publicUrl}, sandbox NeonPanel ${sandbox.url}`);
  try {
    await connect(config.publicUrl, sandbox.users[0]!);
  } finally {
    await app.close();
    await sandbox.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function connect(
  publicUrl: string,
  user: { email: string; password: string },
): Promise<void> {
  const insecure = { [oauth.allowInsecureRequests]: true };
  const mcp = mcpClient(`${publicUrl}/mcp`);

  const refused = await mcp.post({ method: 'tools/list' });
  const challenge = refused.headers.get('www-authenticate') ?? '';
  const metadataUrl = /resource_metadata="([^"]+)"/.exec(challenge)?.[1];
  check(refused.status === 401 && metadataUrl, 'POST /mcp without a token', '401 with a challenge');

  const resource = (await (await fetch(metadataUrl!)).json()) as {
    resource: string;
    authorization_servers: string[];
  };
  const issuer = new URL(resource.authorization_servers[0]!);
  const server = await oauth
    .discoveryRequest(issuer, { algorithm: 'oauth2', ...insecure })
    .then((response) => oauth.processDiscoveryResponse(issuer, response));
  check(server.issuer, 'Discovery', `issuer ${server.issuer}`);

  const client = await oauth
    .dynamicClientRegistrationRequest(
      server,
      {
        client_name: 'Demo connector',
        redirect_uris: [REDIRECT_URI],
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token'],
      },
      insecure,
    )
    .then(oauth.processDynamicClientRegistrationResponse);
  check(client.client_id, 'Dynamic registration', `client ${client.client_id.slice(0, 8)}…`);

  const verifier = oauth.generateRandomCodeVerifier();
  const state = randomBytes(16).toString('hex');
  const authorize = new URL(server.authorization_endpoint!);
  const request = {
    response_type: 'code',
    client_id: client.client_id,
    redirect_uri: REDIRECT_URI,
    scope: 'neonpanel.read neonpanel.write',
    resource: resource.resource,
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  };
  for (const [name, value] of Object.entries(request)) authorize.searchParams.set(name, value);

  const browser = createHeadlessBrowser((url) => url.href.startsWith(REDIRECT_URI));
  const consent = await browser.visit(authorize);
  check(consent.html.includes('connector.example'), 'Consent page', 'shows where the answer goes');
  const login = await browser.submit(consent, { scope: 'neonpanel.write', decision: 'approve' });
  check(
    login.status === 200 && login.url.origin !== publicUrl,
    'NeonPanel login',
    `at ${login.url.origin}`,
  );
  const back = await browser.submit(login, user);
  check(
    back.url.href.startsWith(REDIRECT_URI),
    'Back at the connector',
    'with code, state and iss',
  );

  const answer = oauth.validateAuthResponse(server, client, back.url, state);
  const redeemed = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.None(),
    answer,
    REDIRECT_URI,
    verifier,
    { additionalParameters: { resource: resource.resource }, ...insecure },
  );
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, redeemed);
  check(
    tokens.refresh_token,
    'Token',
    `${tokens.token_type}, ${tokens.expires_in} s, ${tokens.scope}`,
  );

  mcp.token = tokens.access_token;
  const list = await mcp.call('tools/list', {});
  const { tools } = list as { tools: { name: string }[] };
  check(tools.length >= 14, 'tools/list', `${tools.length} tools`);
  const called = await mcp.call('tools/call', { name: 'listCompanies', arguments: {} });
  const companies = (called as { structuredContent: { data: { name: string }[] } })
    .structuredContent.data;
  check(
    companies.length > 0,
    'tools/call listCompanies',
    companies.map(({ name }) => name).join(', '),
  );

  const renewed = await oauth
    .refreshTokenGrantRequest(server, client, oauth.None(), tokens.refresh_token!, insecure)
    .then((response) => oauth.processRefreshTokenResponse(server, client, response));
  mcp.token = renewed.access_token;
  const again = await mcp.post({ method: 'tools/list' });
  check(
    renewed.refresh_token !== tokens.refresh_token && again.ok,
    'Refresh',
    'new tokens, and they work',
  );

  const revoked = await oauth.revocationRequest(
    server,
    client,
    oauth.None(),
    renewed.refresh_token!,
    insecure,
  );
  await oauth.processRevocationResponse(revoked);
  // Liveness may be believed for 800 ms.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const ended = await mcp.post({ method: 'tools/list' });
  check(ended.status === 401, 'Revoke', 'the access token is refused within a second');
}

function mcpClient(url: string) {
  return {
    token: '',
    post(message: { method: string; params?: unknown }): Promise<Response> {
      return fetch(url, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          accept: 'application/json, text/event-stream',
          'mcp-protocol-version': '2025-11-25',
          ...(this.token && { authorization: `Bearer ${this.token}` }),
        },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, ...message }),
      });
    },
    async call(method: string, params: unknown): Promise<unknown> {
      const text = await (await this.post({ method, params })).text();
      // A 2025-11-25 answer is one event of a stream.
      const data = /^data: (.*)$/m.exec(text)?.[1] ?? text;
      return (JSON.parse(data) as { result: unknown }).result;
    },
  };
}

function check(condition: unknown, step: string, outcome: string): void {
  if (!condition) throw new Error(`${step}: not as expected (${outcome})`);
  say(`  ok  ${step.padEnd(28)} ${outcome}`);
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as { port: number };
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

const say = (line: string) => process.stdout.write(`${line}\n`);

try {
  await demo();
  say('All of it worked.');
} catch (error) {
  process.stderr.write(`The demo failed: ${(error as Error).stack}\n`);
  process.exitCode = 1;
}
