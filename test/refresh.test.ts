import test from 'ava';
import fc from 'fast-check';
import { judge, mintRefreshToken, readRefreshToken } from '../auth/refresh-token.ts';
import { createSecrets } from '../adapters/secrets.ts';
import { startHarness } from './support/harness.ts';
import { callMcp, connect, refresh, register } from './support/oauth.ts';
import { recordsOf, type StoredRecord } from './support/records.ts';
import { createStoreTest } from './support/stores.ts';

/** What a refresh token is good for. What many at once may do: exactly-once/families.test.ts. */
const storeTest = await createStoreTest((store) => startHarness({ store, instances: 2 }));

const errorOf = (answer: { body: unknown }) => (answer.body as { error?: string }).error;
const isLive = async (base: string, accessToken: string) =>
  (await callMcp(base, accessToken, 'tools/list')).status === 200;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

storeTest(
  '[F10] [T6] the previous token gets the same successor within the grace',
  async (t, harness) => {
    const { instances } = harness;
    const { client, tokens } = await connect(harness);
    const first = await refresh(instances[0]!, client, tokens.refresh_token);
    const second = await refresh(instances[1]!, client, tokens.refresh_token);
    t.is(second.body.refresh_token, first.body.refresh_token);
    t.not(first.body.refresh_token, tokens.refresh_token);
  },
);

storeTest('[T6] a token two generations back ends the family at any time', async (t, harness) => {
  const { url } = harness;
  const { client, tokens } = await connect(harness);
  const first = await refresh(url, client, tokens.refresh_token);
  const second = await refresh(url, client, first.body.refresh_token);
  t.is(errorOf(await refresh(url, client, tokens.refresh_token)), 'invalid_grant');
  t.is(errorOf(await refresh(url, client, second.body.refresh_token)), 'invalid_grant');
  await pause(900);
  t.false(await isLive(url, second.body.access_token));
});

storeTest(
  '[T6] after the grace the previous token ends the family, and nobody else’s',
  async (t, _, store) => {
    const strict = await startHarness({ store, env: { REFRESH_GRACE_SECONDS: '1' } });
    t.teardown(() => strict.close());
    const { client, tokens } = await connect(strict);
    const bystander = await connect(strict, { client });
    const rotated = await refresh(strict.url, client, tokens.refresh_token);
    await pause(1_200);
    t.is(errorOf(await refresh(strict.url, client, tokens.refresh_token)), 'invalid_grant');
    t.is(errorOf(await refresh(strict.url, client, rotated.body.refresh_token)), 'invalid_grant');
    t.is((await refresh(strict.url, client, bystander.tokens.refresh_token)).status, 200);
  },
);

storeTest('[T6] with a grace of 0 the first repeat ends the family', async (t, _, store) => {
  const strict = await startHarness({ store, env: { REFRESH_GRACE_SECONDS: '0' } });
  t.teardown(() => strict.close());
  const { client, tokens } = await connect(strict);
  const rotated = await refresh(strict.url, client, tokens.refresh_token);
  t.is(rotated.status, 200);
  t.is(errorOf(await refresh(strict.url, client, tokens.refresh_token)), 'invalid_grant');
  t.is(errorOf(await refresh(strict.url, client, rotated.body.refresh_token)), 'invalid_grant');
});

storeTest(
  '[T14] another client can neither use a refresh token nor harm its owner',
  async (t, harness) => {
    const { url } = harness;
    const { client, tokens } = await connect(harness);
    const thief = (await register(url)).body;
    t.is(errorOf(await refresh(url, thief, tokens.refresh_token)), 'invalid_grant');
    const first = await refresh(url, client, tokens.refresh_token);
    t.is(first.status, 200);
    // An old one in foreign hands: still only a refusal.
    await refresh(url, client, first.body.refresh_token);
    t.is(errorOf(await refresh(url, thief, tokens.refresh_token)), 'invalid_grant');
    t.is((await refresh(url, client, first.body.refresh_token)).status, 200);
  },
);

storeTest(
  '[F9] [T35] a refused refresh spends nothing: foreign resource, more scope',
  async (t, harness) => {
    const { url } = harness;
    const { client, tokens } = await connect(harness, { write: false });
    t.is(tokens.scope, 'neonpanel.read');
    const attempts: [Record<string, string>, string][] = [
      [{ resource: 'https://other.example/mcp' }, 'invalid_target'],
      [{ resource: `${url}/mcp/x` }, 'invalid_target'],
      [{ scope: 'neonpanel.read neonpanel.write' }, 'invalid_scope'],
    ];
    for (const [parameters, error] of attempts) {
      t.is(errorOf(await refresh(url, client, tokens.refresh_token, parameters)), error);
    }
    const renewed = await refresh(url, client, tokens.refresh_token);
    t.is(renewed.body.scope, 'neonpanel.read');
  },
);

storeTest(
  '[F1] every spelling of the resource refreshes to the same audience',
  async (t, harness) => {
    const { url } = harness;
    const { client, tokens } = await connect(harness);
    let { refresh_token } = tokens;
    for (const resource of [
      undefined,
      url,
      `${url}/`,
      `${url}/mcp`,
      `${url}/mcp/`,
      `${url}/sse`,
      `${url.toUpperCase()}/mcp`.replace('HTTP:', 'http:'),
    ]) {
      const { status, body } = await refresh(url, client, refresh_token, { resource });
      t.is(status, 200, resource);
      t.true(await isLive(url, body.access_token));
      refresh_token = body.refresh_token;
    }
  },
);

storeTest(
  '[T35] a refresh may ask for less, and the grant keeps what it has',
  async (t, harness) => {
    const { url } = harness;
    const { client, tokens } = await connect(harness);
    const less = await refresh(url, client, tokens.refresh_token, { scope: 'neonpanel.read' });
    t.is(less.body.scope, 'neonpanel.read');
    const all = await refresh(url, client, less.body.refresh_token);
    t.is(all.body.scope, 'neonpanel.read neonpanel.write');
  },
);

storeTest(
  '[F11] [D8] a client with the refresh_token grant gets a refresh token without asking for offline_access, one without it gets none',
  async (t, harness) => {
    const { url } = harness;
    t.truthy((await connect(harness)).tokens.refresh_token);
    const metadata = { grant_types: ['authorization_code'] };
    const { client, tokens } = await connect(harness, { metadata });
    t.is(tokens.refresh_token, undefined as never);
    t.true(await isLive(url, tokens.access_token));
    t.not((await refresh(url, client, 'x.0.y')).status, 200);
  },
);

storeTest(
  '[D8] a new login of the same user with the same client leaves older grants alone',
  async (t, harness) => {
    const { url } = harness;
    const first = await connect(harness);
    await connect(harness, { client: first.client });
    t.is((await refresh(url, first.client, first.tokens.refresh_token)).status, 200);
  },
);

storeTest(
  '[D8] the store keeps one record per family, and refreshing does not make it grow',
  async (t, _, store) => {
    const own = await startHarness({ store });
    t.teardown(() => own.close());
    const { client, tokens } = await connect(own);
    const before = await recordsOf(own);
    let { refresh_token } = tokens;
    for (let i = 0; i < 30; i++) {
      refresh_token = (await refresh(own.url, client, refresh_token)).body.refresh_token;
    }
    const after = await recordsOf(own);
    t.deepEqual(
      after.map(({ kind }) => kind),
      before.map(({ kind }) => kind),
    );
    const size = (all: StoredRecord[]) => all.find(({ kind }) => kind === 'grant')!.value.length;
    t.true(size(after) <= size(before) + 2, 'one more digit of the generation at most');
    t.false(
      after.some(({ value }) => value.includes(refresh_token)),
      'the token is never stored',
    );
  },
);

storeTest('[N52] refresh tokens survive a restart', async (t, _, store) => {
  const own = await startHarness({ store });
  t.teardown(() => own.close());
  const { client, tokens } = await connect(own);
  await own.restart();
  t.is((await refresh(own.url, client, tokens.refresh_token)).status, 200);
});

test.serial('[D8] a token is read only if one of our master keys made it', (t) => {
  const [old, young, foreign] = [1, 2, 3].map((n) => new Uint8Array(32).fill(n)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const before = createSecrets([old]);
  const after = createSecrets([young, old]);
  const grantId = 'g'.repeat(43);
  const token = mintRefreshToken(before, { grantId, generation: 7 });
  t.deepEqual(readRefreshToken(after, token), { grantId, generation: 7 });
  t.is(readRefreshToken(createSecrets([foreign]), token), undefined);
  const [id, , mac] = token.split('.');
  for (const forged of [
    `${id}.8.${mac}`,
    `${id}.07.${mac}`,
    `${id}.7.`,
    `${id}.7.${mac}.x`,
    `${id}.-7.${mac}`,
    '',
    '..',
    `h${token.slice(1)}`,
  ]) {
    t.is(readRefreshToken(after, forged), undefined, forged);
  }
});

test.serial(
  '[D8] [X6] the verdict on a generation: newest and one ahead rotate, the previous repeats within the grace, all else is a replay',
  (t) => {
    const now = 1_000_000;
    const at = (generation: number | undefined, ageMs: number) => ({
      generation,
      rotatedAt: now - ageMs,
    });
    t.is(judge(at(5, 0), 5, now, 60), 'rotate');
    t.is(judge(at(5, 0), 6, now, 60), 'rotate', 'the store lost its last write');
    t.is(judge(at(5, 60_000), 4, now, 60), 'repeat');
    t.is(judge(at(5, 60_001), 4, now, 60), 'replayed');
    t.is(judge(at(5, 0), 4, now, 0), 'replayed');
    t.is(judge(at(5, 0), 3, now, 60), 'replayed');
    t.is(judge(at(5, 0), 7, now, 60), 'replayed');
    t.is(judge(at(undefined, 0), 0, now, 60), 'replayed');
  },
);

test.serial('[T6] [D8] no sequence of refreshes forks a family (property)', (t) => {
  const step = fc.record({
    back: fc.integer({ min: -1, max: 4 }),
    waitMs: fc.integer({ min: 0, max: 90_000 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let now = 1_000_000;
      let family: { generation: number; rotatedAt: number } | undefined = {
        generation: 0,
        rotatedAt: now,
      };
      for (const { back, waitMs } of steps) {
        now += waitMs;
        if (!family) return true;
        const presented: number = Math.max(0, family.generation - back);
        const verdict = judge(family, presented, now, 60);
        const successor = presented + 1;
        if (verdict === 'rotate') family = { generation: successor, rotatedAt: now };
        // A repeat hands out what is the newest already: there is never a second branch.
        if (verdict === 'repeat' && successor !== family.generation) return false;
        if (verdict === 'replayed') family = undefined;
      }
      return true;
    }),
    { numRuns: 10_000 },
  );
  t.pass();
});

storeTest('[D8] of a refresh token only the canonical spelling is taken', async (t, harness) => {
  const { url } = harness;
  const { client, tokens } = await connect(harness);
  const token = tokens.refresh_token;
  const last = token.at(-1)!;
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  // The last character of 43 carries two spare bits, which decoding drops.
  const sameBits = alphabet[alphabet.indexOf(last) ^ 1]!;
  const others = [
    `${token}=`,
    `${token}\n`,
    `${token} `,
    `${token}!`,
    token.slice(0, -1) + sameBits,
  ];
  for (const other of others) {
    t.is(errorOf(await refresh(url, client, other)), 'invalid_grant', JSON.stringify(other));
  }
  t.is((await refresh(url, client, token)).status, 200, 'and nothing has happened to the family');

  const secrets = createSecrets([new Uint8Array(32)]);
  const grantId = token.split('.')[0]!;
  let converted = 0;
  for (let generation = 0; generation < 50; generation++) {
    const minted = mintRefreshToken(secrets, { grantId, generation });
    t.deepEqual(readRefreshToken(secrets, minted), { grantId, generation });
    const [family, number, mac] = minted.split('.');
    const plain = mac!.replaceAll('-', '+').replaceAll('_', '/');
    if (plain === mac) continue;
    converted++;
    t.is(readRefreshToken(secrets, `${family}.${number}.${plain}`), undefined);
  }
  t.true(converted > 0);
});
