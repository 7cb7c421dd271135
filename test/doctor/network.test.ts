import test, { type ExecutionContext } from 'ava';
import { readFileSync } from 'node:fs';
import { createServer as createTlsServer } from 'node:https';
import { createServer, type Server } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { generate } from 'selfsigned';
import { diagnose, type DoctorOptions, type Report } from '../../cli/doctor/index.ts';
import { STEPS } from '../../cli/doctor/steps/index.ts';
import { NotAnAddress, understand } from '../../cli/doctor/target.ts';
import { createCertificate } from '../support/certificate.ts';
import { startTestServer } from '../support/http-server.ts';
import { freePort } from '../support/ports.ts';
import { idsOf } from './world.ts';

/** What stands between doctor and a server; and servers that are not ours. */

const stepOf = (report: Report, id: string) => report.steps.find((step) => step.id === id)!;

/** The first step that failed names the cause, and no other step is blamed. */
async function assertStopsAt(
  t: ExecutionContext,
  url: string,
  step: string,
  cause: RegExp,
  options: DoctorOptions = {},
): Promise<void> {
  // Patience for a machine that is busy; what is to be waited out brings its own.
  const report = await diagnose(url, { timeoutMs: 20_000, totalTimeoutMs: 60_000, ...options });
  t.deepEqual(idsOf(report, 'fail', 'warn'), [step], JSON.stringify(report.steps.slice(0, 3)));
  t.regex(stepOf(report, step).cause!, cause);
  t.truthy(stepOf(report, step).fix);
  t.false(report.ok);
  t.deepEqual(report.leftBehind, []);
}

async function listen(t: ExecutionContext, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  t.teardown(() => void server.close());
  return (server.address() as { port: number }).port;
}

async function serveTls(
  t: ExecutionContext,
  certificate: { cert: string; key: string },
): Promise<string> {
  const server = createTlsServer(certificate, (_, response) => {
    response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"not_found"}');
  });
  t.teardown(() => server.closeAllConnections());
  return `https://localhost:${await listen(t, server)}/mcp`;
}

test.serial('a name that does not exist is a matter of DNS', async (t) => {
  const cause = /^DNS: the name doctor-test\.invalid has no address/;
  await assertStopsAt(t, 'https://doctor-test.invalid/mcp', 'dns', cause);
});

test.serial(
  'an address that only its own network can reach, and http beyond this machine, are named',
  async (t) => {
    const server = await startTestServer((_, response) => response.end());
    t.teardown(() => server.close());
    const report = await diagnose(`http://127.0.0.2:${server.port}`);
    t.regex(stepOf(report, 'dns').cause!, /private address \(127\.0\.0\.2\), which ChatGPT/);
    t.regex(stepOf(report, 'tls').cause!, /^plain http: clients send tokens over https only/);
  },
);

test.serial('nothing that listens is a refused connection', async (t) => {
  const url = `http://localhost:${await freePort()}`;
  await assertStopsAt(t, url, 'tls', /^connection refused: nothing listens at localhost:\d+/);
});

test.serial(
  'a certificate that is self-signed, expired, for another host or without its chain is told apart',
  async (t) => {
    const expired = createCertificate(['localhost'], -1);
    const other = createCertificate(['other.example']);
    const authority = await generate([{ name: 'commonName', value: 'Unsent authority' }], {
      keyType: 'ec',
      extensions: [{ name: 'basicConstraints', cA: true, critical: true }],
    });
    const leaf = await generate([{ name: 'commonName', value: 'localhost' }], {
      keyType: 'ec',
      ca: { key: authority.private, cert: authority.cert },
    });
    for (const [certificate, cause, ca] of [
      [
        createCertificate(['localhost']),
        /^TLS: the certificate of localhost is self-signed/,
        undefined,
      ],
      [expired, /^TLS: the certificate of localhost is expired/, expired.cert],
      [other, /^TLS: the certificate is for another host, not for localhost/, other.cert],
      [
        { cert: leaf.cert, key: leaf.private },
        /^TLS: the chain of localhost is incomplete/,
        undefined,
      ],
    ] as const) {
      await assertStopsAt(t, await serveTls(t, certificate), 'tls', cause, { ca });
    }
  },
);

test.serial('a certificate that is trusted passes; one that ends soon is a warning', async (t) => {
  for (const [days, outcome] of [
    [90, 'pass'],
    [5, 'warn'],
  ] as const) {
    const certificate = createCertificate(['localhost'], days);
    const report = await diagnose(await serveTls(t, certificate), { ca: certificate.cert });
    t.is(stepOf(report, 'tls').outcome, outcome, stepOf(report, 'tls').cause);
    t.is(stepOf(report, 'reachable').outcome, 'pass');
  }
});

test.serial('plain HTTP where TLS is expected is named', async (t) => {
  const server = await startTestServer((_, response) => response.end());
  t.teardown(() => server.close());
  const cause = /does not speak the protocol of the address/;
  await assertStopsAt(t, `https://localhost:${server.port}`, 'tls', cause);
});

test.serial('a server that says nothing is a timeout, one that hangs up a reset', async (t) => {
  const silent = createServer((socket) => void socket.on('error', () => {}));
  const rude = createServer((socket) => void socket.once('data', () => socket.destroy()));
  // Long enough for a connection on a machine that is busy.
  const quick = { timeoutMs: 1_500 };
  await assertStopsAt(
    t,
    `http://localhost:${await listen(t, silent)}`,
    'reachable',
    /^timeout: .* did not answer within 1\.5 s/,
    quick,
  );
  await assertStopsAt(
    t,
    `http://localhost:${await listen(t, rude)}`,
    'reachable',
    /^connection reset/,
  );
});

test.serial('an answer without end is cut off', async (t) => {
  const endless = await startTestServer((_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end('x'.repeat(3 * 1024 * 1024));
  });
  t.teardown(() => endless.close());
  await assertStopsAt(
    t,
    `http://localhost:${endless.port}`,
    'reachable',
    /more than 2097152 bytes/,
  );
});

test.serial('when the time for all of it is up, the rest is skipped', async (t) => {
  const slow = await startTestServer(async (_, response) => {
    await wait(200);
    response.writeHead(404, { 'content-type': 'application/json' }).end('{}');
  });
  t.teardown(() => slow.close());
  const report = await diagnose(`http://localhost:${slow.port}`, { totalTimeoutMs: 500 });
  t.true(report.ms < 10_000);
  const late = report.steps.filter(({ cause }) =>
    /time for the whole examination/.test(cause ?? ''),
  );
  t.true(late.length > 20);
});

test.serial(
  'of a web application that answers everything with its page, discovery says so',
  async (t) => {
    const app = await startTestServer((_, response) => {
      response.setHeader('content-type', 'text/html').end('<!doctype html><div id="app"></div>');
    });
    t.teardown(() => app.close());
    const report = await diagnose(`http://localhost:${app.port}`);
    t.false(report.ours);
    t.regex(stepOf(report, 'challenge').cause!, /200 text\/html, which is not MCP/);
    t.regex(stepOf(report, 'resource-metadata').cause!, /answered 200 text\/html/);
    t.regex(stepOf(report, 'oauth-metadata').cause!, /answered 200 text\/html/);
    t.regex(stepOf(report, 'unknown-well-known').cause!, /answered 200 text\/html/);
    t.is(stepOf(report, 'registration').outcome, 'skip');
  },
);

test.serial(
  "of somebody else's server, discovery and registration name what is wrong",
  async (t) => {
    const other = await startTestServer(({ method, url }, response) => {
      const { origin, pathname } = url;
      const json = (status: number, body: unknown, headers = {}) =>
        response
          .writeHead(status, { 'content-type': 'application/json', ...headers })
          .end(JSON.stringify(body));
      if (pathname === '/mcp' && method !== 'OPTIONS') {
        return json(401, { error: 'unauthorized' }, { 'www-authenticate': 'Bearer' });
      }
      if (pathname === '/.well-known/oauth-protected-resource') {
        return json(200, { resource: `${origin}/mcp`, authorization_servers: [origin] });
      }
      if (pathname === '/.well-known/oauth-authorization-server') {
        return json(200, {
          issuer: `${origin}/`,
          authorization_endpoint: `${origin}/authorize`,
          token_endpoint: `${origin}/token`,
          registration_endpoint: `${origin}/register`,
          jwks_uri: `${origin}/jwks`,
          response_types_supported: ['code'],
          grant_types_supported: ['authorization_code'],
          token_endpoint_auth_methods_supported: ['client_secret_basic'],
        });
      }
      if (pathname === '/jwks') return json(200, { keys: [] });
      if (pathname === '/token') return json(400, { error: 'invalid_request' });
      if (pathname === '/register') {
        return response.writeHead(403, { 'content-type': 'text/html' }).end('<html>Denied</html>');
      }
      return json(404, { error: 'not_found' });
    });
    t.teardown(() => other.close());
    const report = await diagnose(`http://localhost:${other.port}`);
    t.false(report.ours);
    for (const [id, cause] of [
      ['challenge', /names no resource_metadata/],
      ['bad-token', /no error="invalid_token"/],
      ['resource-metadata', /oauth-protected-resource\/mcp is answered 404/],
      ['openid-metadata', /openid-configuration is answered 404/],
      ['issuer', /only the final slash differs/],
      ['pkce-advertised', /code_challenge_methods_supported .* is missing/],
      ['iss-advertised', /is not true/],
      ['abilities-advertised', /grant_types_supported does not contain refresh_token/],
      ['jwks', /the set of keys is empty/],
      ['cors', /preflight \(CORS\)/],
      ['unknown-client', /answered 400 invalid_request/],
      ['registration', /registration is forbidden \(403 text\/html\)/],
    ] as const) {
      t.regex(stepOf(report, id).cause ?? '', cause, id);
    }
    t.deepEqual(report.leftBehind, []);
  },
);

test.serial('whatever somebody pastes is understood, or refused in words', (t) => {
  for (const [pasted, mcpUrl] of [
    ['https://mcp.example.com', 'https://mcp.example.com/mcp'],
    ['https://mcp.example.com/', 'https://mcp.example.com/mcp'],
    ['https://MCP.example.com/mcp/', 'https://mcp.example.com/mcp'],
    ['mcp.example.com', 'https://mcp.example.com/mcp'],
    ['localhost:3000', 'http://localhost:3000/mcp'],
    ['  <https://mcp.example.com/sse>  ', 'https://mcp.example.com/mcp'],
    [
      'https://mcp.example.com/.well-known/oauth-authorization-server',
      'https://mcp.example.com/mcp',
    ],
    ['https://x.example/.well-known/oauth-protected-resource/t/mcp', 'https://x.example/t/mcp'],
    ['https://mcp.example.com/oauth2/authorize?client_id=a&state=b', 'https://mcp.example.com/mcp'],
    ['https://x.example/api/v2/mcp', 'https://x.example/api/v2/mcp'],
    ['http://[::1]:3000/mcp', 'http://[::1]:3000/mcp'],
  ] as const) {
    const target = understand(pasted);
    t.is(target.mcpUrl, mcpUrl, pasted);
    t.true(target.understood.startsWith(mcpUrl));
    t.false(target.understood.includes('state=b'), 'what a query may hold is not repeated');
  }
  for (const nonsense of [
    '',
    'ftp://x.example',
    'https://',
    'two words',
    'https://u:p@x.example',
  ]) {
    t.throws(() => understand(nonsense), { instanceOf: NotAnAddress }, nonsense);
  }
});

test.serial('docs/doctor.md tells of every step', (t) => {
  const page = readFileSync('docs/doctor.md', 'utf8');
  const rows = page.split('\n').filter((line) => line.startsWith('| `'));
  const documented = rows.flatMap((row) =>
    [...row.split('|')[1]!.matchAll(/`([a-z][a-z-]+)`/g)].map(([, id]) => id!),
  );
  t.deepEqual(documented.toSorted(), STEPS.map(({ id }) => id).toSorted());
});
