import test from 'ava';
import type { RequestListener } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { createDocumentCache, Unacceptable } from '../../adapters/document-cache.ts';
import { createFetchLimits } from '../../adapters/fetch-limits.ts';
import { createGuardedFetch } from '../../adapters/guarded-fetch.ts';
import { createCertificate } from '../support/certificate.ts';
import { startDocumentHost } from './host.ts';
import { startListener } from './listener.ts';

/** What is taken from a host that a stranger named, good, broken or hostile. */
const SIZE = { maxBytes: 5 * 1024 };
const JSON_TYPE = { 'content-type': 'application/json' };
const DOCUMENT = '{"a":1}';

/** Through the cache, which judges what the connector brought. */
async function answeredWith(answer: RequestListener, timeoutMs = 10_000) {
  const host = await startDocumentHost();
  host.answerAll(answer);
  const cache = createDocumentCache({
    fetch: createGuardedFetch({ timeoutMs, exemptOrigin: host.origin }),
    limits: createFetchLimits({ factor: 0, now: Date.now }),
    now: Date.now,
    ...SIZE,
    absentIsGone: true,
    accept: (json) => json,
    onFetched: () => {},
  });
  try {
    const { value } = await cache.get(`${host.origin}/c.json`);
    return JSON.stringify(value);
  } catch (error) {
    return error as Error;
  } finally {
    await host.close();
  }
}
const full = (bytes: number) => JSON.stringify({ a: 'x'.repeat(bytes - 8) });

const ANSWERS: readonly [what: string, answer: RequestListener, result: string | RegExp][] = [
  ['JSON', (_, r) => r.writeHead(200, JSON_TYPE).end(DOCUMENT), DOCUMENT],
  [
    'JSON of another kind',
    (_, r) =>
      r.writeHead(200, { 'content-type': 'Application/Client+JSON ; charset=utf-8' }).end(DOCUMENT),
    DOCUMENT,
  ],
  ['exactly 5 KiB', (_, r) => r.writeHead(200, JSON_TYPE).end(full(5_120)), full(5_120)],
  [
    'in chunks',
    (_, r) => {
      r.writeHead(200, JSON_TYPE);
      r.write('{"a"');
      r.end(':1}');
    },
    DOCUMENT,
  ],
  ['a byte more', (_, r) => r.writeHead(200, JSON_TYPE).end(full(5_121)), /more than 5120 bytes/],
  [
    'a byte more in chunks',
    (_, r) => {
      r.writeHead(200, JSON_TYPE);
      r.write(full(5_121));
      r.end();
    },
    /more than 5120 bytes/,
  ],
  [
    'a length that is not true',
    (_, r) => {
      r.writeHead(200, { ...JSON_TYPE, 'content-length': '99999999' });
      r.write('{');
    },
    /more than 5120 bytes/,
  ],
  [
    'too little of its length',
    (_, r) => {
      r.writeHead(200, { ...JSON_TYPE, 'content-length': '100' });
      r.write('{');
      setTimeout(() => r.destroy(), 20);
    },
    /connection failed|cut off/,
  ],
  [
    'an endless body',
    (_, r) => {
      r.writeHead(200, JSON_TYPE);
      const more = () => {
        while (r.writable && r.write('x'.repeat(1_000)));
      };
      r.on('drain', more);
      more();
    },
    /more than 5120 bytes/,
  ],
  [
    'a gzip bomb',
    (_, r) =>
      r
        .writeHead(200, { ...JSON_TYPE, 'content-encoding': 'gzip' })
        .end(gzipSync(Buffer.alloc(2_000_000))),
    /content encoding/,
  ],
  [
    'brotli',
    (_, r) => r.writeHead(200, { ...JSON_TYPE, 'content-encoding': 'br' }).end('x'),
    /content encoding/,
  ],
  [
    'HTML',
    (_, r) => r.writeHead(200, { 'content-type': 'text/html' }).end('<html>'),
    /content type text\/html/,
  ],
  [
    'plain text',
    (_, r) => r.writeHead(200, { 'content-type': 'text/plain' }).end(DOCUMENT),
    /content type text\/plain/,
  ],
  ['no type', (_, r) => r.writeHead(200).end(DOCUMENT), /content type missing/],
  [
    'a look-alike type',
    (_, r) => r.writeHead(200, { 'content-type': 'application/jsonp' }).end(DOCUMENT),
    /content type/,
  ],
  ['half of JSON', (_, r) => r.writeHead(200, JSON_TYPE).end('{"a":'), /not JSON/],
  ['nothing', (_, r) => r.writeHead(200, JSON_TYPE).end(), /not JSON/],
  [
    'bytes that are no UTF-8',
    (_, r) => r.writeHead(200, JSON_TYPE).end(Buffer.from([0x22, 0xff, 0x22])),
    /not UTF-8/,
  ],
  ...[301, 302, 303, 307, 308].map((status): [string, RequestListener, RegExp] => [
    `a redirect, ${status}`,
    (_, r) =>
      r.writeHead(status, { location: 'https://localhost:1/c.json', ...JSON_TYPE }).end(DOCUMENT),
    /redirect/,
  ]),
  ['304', (_, r) => r.writeHead(304).end(), /redirect \(status 304\)/],
  ['201', (_, r) => r.writeHead(201, JSON_TYPE).end(DOCUMENT), /status 201/],
  ['204', (_, r) => r.writeHead(204).end(), /status 204/],
  ['401', (_, r) => r.writeHead(401, JSON_TYPE).end(DOCUMENT), /status 401/],
  ['403', (_, r) => r.writeHead(403, JSON_TYPE).end(DOCUMENT), /status 403/],
  ['404', (_, r) => r.writeHead(404, JSON_TYPE).end(DOCUMENT), /not there \(404\)/],
  ['410', (_, r) => r.writeHead(410).end(), /not there \(410\)/],
  ['429', (_, r) => r.writeHead(429).end(), /status 429/],
  ['500', (_, r) => r.writeHead(500, JSON_TYPE).end(DOCUMENT), /status 500/],
  [
    'headers of 9 kB',
    (_, r) => r.writeHead(200, { ...JSON_TYPE, 'x-long': 'x'.repeat(9_000) }).end(DOCUMENT),
    /connection failed/,
  ],
  ['a connection that is closed', (request) => request.socket.destroy(), /connection failed/],
];

for (const [what, answer, result] of ANSWERS) {
  test(`[T19] [A5] a host that answers with ${what}`, async (t) => {
    const got = await answeredWith(answer);
    if (typeof result === 'string') return t.is(got, result);
    t.true(got instanceof Error, String(got));
    t.regex((got as Error).message, result);
    const says = /not there/.test(result.source);
    t.is(got instanceof Unacceptable, says, 'only what the host itself says is final');
  });
}

const SLOW: readonly [what: string, answer: RequestListener][] = [
  ['never answers', () => {}],
  [
    'never ends',
    (_, r) => {
      r.writeHead(200, JSON_TYPE);
      r.write('{');
    },
  ],
  [
    'sends a byte at a time',
    (_, r) => {
      r.writeHead(200, JSON_TYPE);
      const timer = setInterval(() => r.write(' '), 50);
      r.on('close', () => clearInterval(timer));
    },
  ],
  [
    'only ever says that it will',
    (_, r) => {
      const timer = setInterval(() => r.writeProcessing(), 50);
      r.on('close', () => clearInterval(timer));
    },
  ],
];

for (const [what, answer] of SLOW) {
  test(`[T19] a host that ${what} is given up at the deadline`, async (t) => {
    const got = await answeredWith(answer, 400);
    t.is((got as Error).message, 'no complete answer within 400 ms');
  });
}

test('[T19] a host that accepts and never speaks TLS is given up at the deadline', async (t) => {
  const server = createTcpServer((socket) => socket.on('error', () => {}));
  await new Promise<void>((resolve) => server.listen(0, resolve));
  t.teardown(() => server.close());
  const origin = `https://localhost:${(server.address() as AddressInfo).port}`;
  const fetch = createGuardedFetch({ timeoutMs: 400, exemptOrigin: origin });
  await t.throwsAsync(fetch(`${origin}/`, SIZE), { message: 'no complete answer within 400 ms' });
});

test('[T19] a certificate that is not trusted, for another name or out of date ends it before the request', async (t) => {
  for (const [certificate, code] of [
    [createCertificate(['localhost']), /DEPTH_ZERO_SELF_SIGNED_CERT|UNABLE_TO_VERIFY/],
    [createCertificate(['other.example']), /SELF_SIGNED|UNABLE_TO_VERIFY|ALTNAME/],
    [createCertificate(['localhost'], -1), /SELF_SIGNED|EXPIRED|UNABLE_TO_VERIFY/],
  ] as const) {
    const host = await startDocumentHost(certificate);
    t.teardown(() => host.close());
    const fetch = createGuardedFetch({ timeoutMs: 10_000, exemptOrigin: host.origin });
    const error = await t.throwsAsync(fetch(`${host.origin}/c.json`, SIZE));
    t.regex(error!.message, code);
    t.deepEqual(host.asked, []);
  }
});

test('[T19] a host that speaks no TLS is not asked', async (t) => {
  const listener = await startListener(t);
  const origin = `https://localhost:${listener.port}`;
  const fetch = createGuardedFetch({ timeoutMs: 10_000, exemptOrigin: origin });
  await t.throwsAsync(fetch(`${origin}/`, SIZE), { message: /connection failed/ });
});

test('[T19] one fetch is one request on one connection, and says nothing about who is behind it', async (t) => {
  const host = await startDocumentHost();
  t.teardown(() => host.close());
  let headers = {};
  host.answerAll((request, response) => {
    headers = request.headers;
    response.writeHead(500).end();
  });
  const fetch = createGuardedFetch({ timeoutMs: 10_000, exemptOrigin: host.origin });
  const { status } = await fetch(`${host.origin}/c.json`, SIZE);
  t.is(status, 500);
  t.is(host.connections(), 1);
  t.deepEqual(host.asked, ['/c.json']);
  t.deepEqual(Object.keys(headers).toSorted(), [
    'accept',
    'accept-encoding',
    'connection',
    'host',
    'user-agent',
  ]);
});
