import test from 'ava';
import fc from 'fast-check';
import { createGuardedFetch, resolveByDns, Unfetchable } from '../../adapters/guarded-fetch.ts';
import { isPublicAddress } from '../../adapters/public-host.ts';
import { startDocumentHost } from './host.ts';
import { startListener } from './listener.ts';
import { startNameServer } from './name-server.ts';

/** What is connected to, and what never is. */
const SIZE = { maxBytes: 5 * 1024 };

const SPECIAL = [
  ...['0.0.0.0', '0.1.2.3', '10.0.0.1', '10.255.255.255', '100.64.0.1', '100.127.255.255'],
  ...['127.0.0.1', '127.255.255.254', '169.254.0.1', '169.254.169.254', '172.16.0.1'],
  ...['172.31.255.255', '192.0.0.1', '192.0.2.1', '192.31.196.1', '192.52.193.1', '192.88.99.1'],
  ...['192.168.0.1', '192.175.48.1', '198.18.0.1', '198.19.255.255', '198.51.100.1'],
  ...['203.0.113.1', '224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255'],
  ...['::', '::1', '::127.0.0.1', '::ffff:127.0.0.1', '::ffff:10.0.0.1', '::ffff:8.8.8.8'],
  ...['::ffff:0:127.0.0.1', '64:ff9b::127.0.0.1', '64:ff9b::8.8.8.8', '64:ff9b:1::1', '100::1'],
  ...['2001::1', '2001:0:7f00:1::', '2001:10::1', '2001:20::1', '2001:db8::1', '2002:7f00:1::'],
  ...['2002:a00:1::1', '2620:4f:8000::1', '3fff::1', '5f00::1', 'fc00::1', 'fd00:ec2::254'],
  ...['fe80::1', 'fe80::1%lo', 'febf::1', 'fec0::1', 'ff02::1', 'ff0e::1', '2606:4700::1111%1'],
  ...['', 'localhost', '127.1', '0x7f000001', '1.2.3', '1.2.3.4.5', '[::1]'],
];
const PUBLIC = [
  ...['1.1.1.1', '8.8.8.8', '9.255.255.255', '11.0.0.0', '100.63.255.255', '100.128.0.0'],
  ...['126.255.255.255', '128.0.0.1', '172.15.255.255', '172.32.0.0', '192.167.255.255'],
  ...['198.17.255.255', '198.20.0.0', '223.255.255.255', '2606:4700:4700::1111', '2a00:1450::1'],
];

test('[T19] special-use addresses of every kind are told from public ones', (t) => {
  for (const address of SPECIAL) t.false(isPublicAddress(address), address);
  for (const address of PUBLIC) t.true(isPublicAddress(address), address);
});

test('[T19] no address outside the public internet ever gets through, however it is embedded', (t) => {
  const byte = fc.integer({ min: 0, max: 255 });
  const inside = fc.oneof(
    fc.tuple(fc.constantFrom(0, 10, 127, 224, 240, 255), byte, byte, byte),
    fc.tuple(fc.constant(192), fc.constant(168), byte, byte),
    fc.tuple(fc.constant(172), fc.integer({ min: 16, max: 31 }), byte, byte),
    fc.tuple(fc.constant(100), fc.integer({ min: 64, max: 127 }), byte, byte),
    fc.tuple(fc.constant(169), fc.constant(254), byte, byte),
  );
  const hex = (a: number, b: number) => ((a << 8) | b).toString(16);
  fc.assert(
    fc.property(inside, ([a, b, c, d]) => {
      const dotted = `${a}.${b}.${c}.${d}`;
      const pair = `${hex(a, b)}:${hex(c, d)}`;
      return [
        dotted,
        `::${dotted}`,
        `::ffff:${dotted}`,
        `::ffff:${pair}`,
        `64:ff9b::${dotted}`,
        `2002:${pair}::1`,
        `2001:0:${pair}::1`,
        `fe80::${pair}`,
      ].every((address) => !isPublicAddress(address));
    }),
    { numRuns: process.env.LONG_TESTS ? 1_000_000 : 10_000 },
  );
  t.pass();
});

test('[T19] addresses of this machine get no connection, spelled out or behind a name', async (t) => {
  const hosts = ['127.0.0.1', '::1', '127.0.0.2', '127.255.255.254'];
  for (const host of hosts) {
    const listener = await startListener(t, host);
    const fetch = createGuardedFetch({ timeoutMs: 2_500, resolve: async () => [host] });
    for (const name of [host.includes(':') ? `[${host}]` : host, 'name.example']) {
      const error = await t.throwsAsync(fetch(`https://${name}:${listener.port}/`, SIZE));
      t.true(error instanceof Unfetchable);
      t.regex(error!.message, /no public address/);
    }
    t.is(listener.connections(), 0, host);
  }
});

test('[T19] every other spelling of this machine gets no connection either', async (t) => {
  const listener = await startListener(t);
  const fetch = createGuardedFetch({ timeoutMs: 2_500 });
  for (const host of [
    ...['0.0.0.0', '0', '2130706433', '0x7f000001', '0x7f.1', '017700000001', '0177.0.0.1'],
    ...['127.1', '[::]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]', '[0:0:0:0:0:0:0:1]'],
    ...['[64:ff9b::7f00:1]', '[2002:7f00:1::]', '①②⑦.0.0.1', '127。0。0。1'],
  ]) {
    const error = await t.throwsAsync(fetch(`https://${host}:${listener.port}/`, SIZE), {
      instanceOf: Unfetchable,
    });
    t.regex(error.message, /no public address/, host);
  }
  t.is(listener.connections(), 0);
});

/** 127.0.0.2 plays the public internet, the rest of this machine plays our network. */
const isAllowed = (address: string) => address === '127.0.0.2';

test('[T19] a name whose answer changes after the check is not asked again', async (t) => {
  const host = await startDocumentHost();
  t.teardown(() => host.close());
  host.serve('/c.json', {});
  const url = host.origin.replace('localhost', 'public.example') + '/c.json';
  let answers = 0;
  const fetch = createGuardedFetch({
    timeoutMs: 2_500,
    isAllowed,
    resolve: async () => (answers++ === 0 ? ['127.0.0.2'] : ['127.0.0.1', '::1']),
  });
  t.is((await fetch(url, SIZE)).status, 200);
  t.is(answers, 1, 'what was checked is what is connected to');
  t.deepEqual(host.reached, ['127.0.0.2']);
  await t.throwsAsync(fetch(url, SIZE), { message: 'no public address among 127.0.0.1 ::1' });
  t.deepEqual(host.reached, ['127.0.0.2'], 'and what is refused is not connected to');
});

test('[T19] of a mixed answer only the public addresses are used', async (t) => {
  const host = await startDocumentHost();
  t.teardown(() => host.close());
  host.serve('/c.json', {});
  const fetch = createGuardedFetch({
    timeoutMs: 2_500,
    isAllowed,
    resolve: async () => ['127.0.0.1', '::1', '127.0.0.2', '127.0.0.3'],
  });
  const url = host.origin.replace('localhost', 'public.example') + '/c.json';
  for (const _ of [1, 2, 3]) t.is((await fetch(url, SIZE)).status, 200);
  t.deepEqual(host.reached, ['127.0.0.2', '127.0.0.2', '127.0.0.2']);
});

test('[T19] an address that was reached although it was not meant gets no request', async (t) => {
  const host = await startDocumentHost();
  t.teardown(() => host.close());
  host.serve('/c.json', {});
  let checks = 0;
  const fetch = createGuardedFetch({
    timeoutMs: 2_500,
    isAllowed: () => checks++ === 0,
    resolve: async () => ['127.0.0.1'],
  });
  const url = host.origin.replace('localhost', 'public.example') + '/c.json';
  await t.throwsAsync(fetch(url, SIZE), { message: 'connected to 127.0.0.1, which is not public' });
  t.deepEqual(host.asked, []);
});

test('[T19] http is not spoken, except to the one origin that is exempt', async (t) => {
  const listener = await startListener(t);
  const exemptOrigin = `http://localhost:${listener.port}`;
  const fetch = createGuardedFetch({ timeoutMs: 2_000, exemptOrigin });
  for (const url of [
    `http://127.0.0.1:${listener.port}/`,
    `http://localhost:${listener.port + 1}/`,
    'http://client.example/',
  ]) {
    await t.throwsAsync(fetch(url, SIZE), { message: 'not an https address' });
  }
  t.is(listener.connections(), 0);
  await t.throwsAsync(fetch(exemptOrigin, SIZE), { instanceOf: Unfetchable });
  t.is(listener.connections(), 1);
});

test('[T19] names come from the name server alone, addresses of both families, as they are spelled', async (t) => {
  const server = await startNameServer(t, {
    'both.example': ['192.0.2.1', '2001:db8::1'],
    'four.example': ['192.0.2.2'],
    'six.example': ['2001:db8::2'],
  });
  const resolve = (name: string) => resolveByDns(name, [server.address]);
  t.deepEqual(await resolve('both.example'), ['192.0.2.1', '2001:db8::1']);
  t.deepEqual(await resolve('four.example'), ['192.0.2.2']);
  t.deepEqual(await resolve('six.example'), ['2001:db8::2']);
  // What the hosts file or a search domain of this machine knows does not count.
  for (const name of ['nowhere.example', 'ip6-allnodes', 'four']) {
    await t.throwsAsync(resolve(name), { instanceOf: Unfetchable, message: /does not resolve/ });
  }
  t.true(server.asked.includes('nowhere.example'));
  t.false(server.asked.some((name) => name.startsWith('four.') && name !== 'four.example'));
});

test('[T19] a name server that never answers costs no more than the deadline', async (t) => {
  const fetch = createGuardedFetch({ timeoutMs: 200, resolve: () => new Promise(() => {}) });
  const keepAlive = setTimeout(() => {}, 10_000);
  await t.throwsAsync(fetch('https://slow.example/', SIZE), {
    message: 'no complete answer within 200 ms',
  });
  clearTimeout(keepAlive);
});

if (process.env.LONG_TESTS) {
  test.serial(
    '[T19] how long a refusal takes says nothing about the port: open, closed and silent within 50 ms',
    async (t) => {
      const open = await startListener(t);
      const closed = await startListener(t);
      const ports = { open: open.port, closed: closed.port + 1, none: 6379 };
      const fetch = createGuardedFetch({ timeoutMs: 2_500, resolve: async () => ['127.0.0.1'] });
      const medians: Record<string, number> = {};
      for (const [name, port] of Object.entries(ports)) {
        const times: number[] = [];
        for (let i = 0; i < 200; i++) {
          const started = performance.now();
          await t.throwsAsync(fetch(`https://name.example:${port}/`, SIZE));
          times.push(performance.now() - started);
        }
        medians[name] = times.toSorted((a, b) => a - b)[100]!;
      }
      const all = Object.values(medians);
      t.true(Math.max(...all) - Math.min(...all) < 50, JSON.stringify(medians));
      t.is(open.connections(), 0);
    },
  );
}
