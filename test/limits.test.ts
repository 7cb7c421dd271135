import { createHash } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { mock } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import test from 'ava';
import { RATE_LIMITS } from '../adapters/rate-limit-table.ts';
import { ANSWER_ROOM } from '../adapters/neonpanel/answer-room.ts';
import { createBoundedMap } from '../bounded-map.ts';
import { createPlainReader } from '../mcp/plain-request.ts';
import { stopTime } from './journeys/time.ts';
import { startHarness } from './support/harness.ts';
import { callTool, connect, refresh, register } from './support/oauth.ts';
import { rpc } from './tools/support/mcp-host.ts';

/** That the limits are those that are published, and what is remembered in a process stays within them. */

const ROOT = join(import.meta.dirname, '..');
const DOC = readFileSync(join(ROOT, 'docs/limits.md'), 'utf8');
const rows = DOC.split('\n')
  .filter((line) => line.startsWith('| '))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  KiB: 1024,
  MiB: 1024 ** 2,
  ms: 1,
  s: 1_000,
  min: 60_000,
  h: 3_600_000,
};

/** `56 KiB` as bytes, `9 s` as milliseconds, `1,024` as it is. */
function numberOf(text: string): number {
  const [, digits = '', unit = ''] = /^([\d,.]+) ?([A-Za-z]*)$/.exec(text) ?? [];
  return Number(digits.replaceAll(',', '')) * UNITS[unit]!;
}

/** What a file says a name is, as a number. */
function valueIn(file: string, name: string): number {
  const source = readFileSync(join(ROOT, file), 'utf8');
  const [, expression = ''] =
    new RegExp(`\\b${name}(?:: ?\\w+)? ?[=:] ?(?:\\{ max: )?(\\d[\\d_ *]*)\\b`).exec(source) ?? [];
  const scale = name.endsWith('_SECONDS') ? 1_000 : 1;
  return expression
    .replaceAll('_', '')
    .split('*')
    .reduce((product, factor) => product * Number(factor), expression === '' ? NaN : scale);
}

test('[N47] docs/limits.md states the rate limits as they are', (t) => {
  const stated = rows.flatMap(([name = '', perMinute = '', by = '']) => {
    const known = /^`([a-z_]+)`$/.exec(name)?.[1];
    return known === undefined ? [] : [[known, { perMinute: numberOf(perMinute), by }] as const];
  });
  t.deepEqual(Object.fromEntries(stated), RATE_LIMITS);
});

test('docs/limits.md states what the code says', (t) => {
  let compared = 0;
  for (const cells of rows) {
    const [, file = '', name = ''] = /^`([\w./-]+\.ts)` `(\w+)`$/.exec(cells.at(-1)!) ?? [];
    if (name === '') continue;
    const stated = cells.slice(1, -1).find((cell) => /^[\d,.]+( [A-Za-z]+)?$/.test(cell));
    t.is(numberOf(stated ?? ''), valueIn(file, name), `${file} ${name}: ${stated}`);
    compared++;
  }
  t.true(compared >= 55, `${compared}`);
  for (const [says, bytes] of [
    [/of one HTTP request +\| (\d+ MiB)/, ANSWER_ROOM.perRequest],
    [/the same of all requests +\| (\d+ MiB)/, ANSWER_ROOM.inAll],
  ] as const) {
    t.is(numberOf(says.exec(DOC)![1]!), bytes);
  }
});

/** Made and dropped within a call, or as large as the program. */
const WITHIN_A_CALL = [
  'adapters/connection-list.ts',
  'adapters/missing-connections.ts',
  'adapters/redis/redis.ts',
  'adapters/sealed-records.ts',
  'adapters/secrets.ts',
  'auth/account/own-connections.ts',
  'auth/known-apps.ts',
  'keys/key-set.ts',
  'mcp/resource-server.ts',
  'mcp/server.ts',
  'mcp/tools/company.ts',
  'mcp/tools/input.ts',
  'views/assets.ts',
];

test('[N50] every map that lives longer than a call is in docs/limits.md', (t) => {
  const files = globSync('{auth,mcp,adapters,http,keys,views}/**/*.ts', { cwd: ROOT });
  const remembering = files.filter((file) =>
    /\bnew (Weak)?Map[<(]|createBoundedMap[<(]/.test(readFileSync(join(ROOT, file), 'utf8')),
  );
  t.deepEqual(
    WITHIN_A_CALL.filter((file) => !remembering.includes(file)),
    [],
  );
  const unnamed = remembering.filter(
    (file) =>
      !WITHIN_A_CALL.includes(file) &&
      !DOC.includes(`\`${file}\``) &&
      file !== 'adapters/rate-windows.ts',
  );
  t.deepEqual(unnamed, []);
});

test('[N50] a bounded map holds no more than it may, and drops what is over when something comes', (t) => {
  let now = 0;
  const map = createBoundedMap<number>(100, (until) => until <= now);
  for (let i = 0; i < 1_000; i++) {
    map.set(`key ${i}`, 1_000);
    t.true(map.size <= 100);
  }
  t.is(map.get('key 899'), undefined);
  t.is(map.get('key 900'), 1_000);
  now = 1_000;
  for (let i = 0; i < 40; i++) map.set(`later ${i}`, 2_000);
  t.is(map.size, 40);
});

// ----------------------------------------------------------------- the running server

/** Maps that were written to while something ran in this process, and their keys. */
async function watchMaps<T>(action: () => Promise<T>) {
  const { set } = Map.prototype;
  const refs = new WeakMap<WeakKey, WeakRef<Map<unknown, unknown>>>();
  const maps = new Set<WeakRef<Map<unknown, unknown>>>();
  const keys: string[] = [];
  Map.prototype.set = function watched(key: unknown, value: unknown) {
    if (typeof key === 'string') {
      if (!refs.has(this)) {
        const ref = new WeakRef(this);
        refs.set(this, ref);
        maps.add(ref);
      }
      keys.push(key);
    }
    return set.call(this, key, value);
  };
  try {
    return { result: await action(), kept, keys };
  } finally {
    Map.prototype.set = set;
  }

  /** Those of them that outlive a call. */
  async function kept(): Promise<Map<unknown, unknown>[]> {
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
    return [...maps].flatMap((ref) => ref.deref() ?? []);
  }
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const digestOf = (text: string): string => createHash('sha256').update(text).digest('base64url');
const grantOf = (accessToken: string): string =>
  JSON.parse(Buffer.from(accessToken.split('.')[1]!, 'base64url').toString()).grant_id;

test.serial(
  '[N50] nothing is remembered under a token, code or secret, and nothing for longer than it is of use',
  async (t) => {
    const clock = stopTime();
    t.teardown(() => mock.timers.reset());
    const harness = await startHarness({ env: { RATE_LIMIT_FACTOR: '1' } });
    t.teardown(() => harness.close());
    const { url } = harness;
    const metadata = { token_endpoint_auth_method: 'client_secret_post' };
    const come = async () => {
      const { client, code, tokens } = await connect(harness, { metadata });
      await callTool(url, tokens.access_token, 'listCompanies');
      const renewed = await refresh(url, client, tokens.refresh_token);
      await callTool(url, 'a-token-that-nobody-has-ever-signed', 'listCompanies');
      const { access_token: access, refresh_token: first } = tokens;
      const secrets = [code, access, first, renewed.body.refresh_token, client.client_secret!];
      return { access, secrets };
    };
    const early = await watchMaps(() => Promise.all([come(), come()]));
    const secrets = [
      ...early.result.flatMap((connected) => connected.secrets),
      'a-token-that-nobody-has-ever-signed',
    ];
    t.is(secrets.length, 11);
    t.deepEqual(
      early.keys.filter((key) => secrets.some((secret) => key.includes(secret))),
      [],
    );
    const names = early.result.flatMap(({ access }) => [digestOf(access), grantOf(access)]);
    const heldBy = async () => {
      const maps = await early.kept();
      return names.map((name) => maps.filter((map) => map.has(name)).length);
    };
    t.true((await heldBy()).every((maps) => maps > 0));

    clock.advance(2 * 3_600_000);
    await come();
    await come();
    t.deepEqual(
      await heldBy(),
      names.map(() => 0),
    );
  },
);

test.serial(
  '[N50] a flood of clients that nobody has seen before fills no cache beyond its bound',
  async (t) => {
    const harness = await startHarness();
    t.teardown(() => harness.close());
    const { url } = harness;
    const count = 1_100;
    const { kept } = await watchMaps(async () => {
      let left = count;
      const worker = async () => {
        while (left-- > 0) await register(url);
      };
      await Promise.all(Array.from({ length: 20 }, worker));
    });
    const largest = Math.max(...(await kept()).map((map) => map.size));
    t.is(largest, 1_000);
  },
);

test.serial('[N50] an envelope is remembered up to a length of 1,000', async (t) => {
  const { keys } = await watchMaps(async () => {
    const plainRequest = createPlainReader();
    for (const length of [1_000, 1_001]) {
      const withMeta = (_meta: object) => rpc('modern', 'tools/list', { _meta });
      const empty = JSON.stringify(withMeta({ padding: '' }).body.params._meta).length;
      const { headers, body } = withMeta({ padding: 'x'.repeat(length - empty) });
      t.is(JSON.stringify(body.params._meta).length, length);
      t.is(plainRequest(headers, body, () => true)?.era, 'modern');
    }
  });
  const remembered = keys.filter((key) => key.includes('"padding"'));
  t.deepEqual(
    remembered.map(({ length }) => length),
    [1_000],
  );
});
