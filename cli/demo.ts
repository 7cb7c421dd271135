import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startApp } from '../app.ts';
import { loadConfig } from '../config.ts';
import { createLog } from '../log.ts';
import { startSandbox } from '../sandbox/index.ts';
import { createConnector } from './demo-connector.ts';

/** Errors only: the steps are what is to be read here. The audit log would be written at every level. */
const withoutAudit = {
  write(line: string): void {
    if (!line.includes('"audit":true')) process.stdout.write(line);
  },
};

/**
 * `npm run demo`: server, sandbox and a scripted connector in one process. The connector does what ChatGPT does; each
 * step is printed, and the exit code is 0 only if all of them went as they should.
 */
async function demo(): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'neonpanel-mcp-demo-'));
  const sandbox = await startSandbox({ port: await freePort() });
  const port = await freePort();
  const config = loadConfig({ PORT: String(port), DATA_DIR: dataDir, NEONPANEL_URL: sandbox.url });
  const app = await startApp(config, { log: createLog('error', withoutAudit) });
  say(`Server ${config.publicUrl}, sandbox NeonPanel ${sandbox.url}`);
  try {
    await connect(config.publicUrl, sandbox.users[0]!);
  } finally {
    await app.close();
    await sandbox.close();
    rmSync(dataDir, { recursive: true, force: true });
  }
}

async function connect(publicUrl: string, user: { email: string; password: string }) {
  const connector = createConnector(`${publicUrl}/mcp`);

  const { status, metadataUrl } = await connector.challenge();
  check(status === 401 && metadataUrl, 'POST /mcp without a token', '401 with a challenge');

  const { issuer } = await connector.discover(metadataUrl!);
  check(issuer === publicUrl, 'Discovery', `issuer ${issuer}`);

  const { client_id } = await connector.register();
  check(client_id, 'Dynamic registration', `client ${client_id.slice(0, 8)}…`);

  const consent = await connector.authorize();
  check(consent.html.includes('connector.example'), 'Consent page', 'shows where the answer goes');

  const login = await connector.approve(consent);
  const atNeonpanel = login.status === 200 && login.url.origin !== publicUrl;
  check(atNeonpanel, 'NeonPanel login', `at ${login.url.origin}`);

  const callback = await connector.signIn(login, user);
  check(callback.searchParams.has('code'), 'Back at the connector', 'with code, state and iss');

  const tokens = await connector.redeem(callback);
  check(tokens.refresh_token, 'Token', `${tokens.expires_in} s, ${tokens.scope}`);

  const { tools } = await connector.call<{ tools: unknown[] }>('tools/list');
  check(tools.length >= 14, 'tools/list', `${tools.length} tools`);

  const companies = await connector.listCompanies();
  check(companies.length > 0, 'tools/call listCompanies', companies.join(', '));

  const renewed = await connector.refresh();
  const works = (await connector.post('tools/list')).ok;
  const isNew = renewed.refresh_token !== tokens.refresh_token;
  check(isNew && works, 'Refresh', 'new tokens, and they work');

  await connector.revoke();
  // What was read from the store may be believed for 800 ms.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const refused = (await connector.post('tools/list')).status === 401;
  check(refused, 'Revoke', 'the access token is refused within a second');
}

/** @throws Error if the step did not go as it should */
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
