import { setTimeout as wait } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { decodeProtectedHeader } from 'jose';
import { loadConfig } from '../../config.ts';
import { startApp } from '../../app.ts';
import { createLog } from '../../log.ts';
import { admin, createTerminal, runIn } from '../support/admin.ts';
import { type Harness, startHarness } from '../support/harness.ts';
import {
  callTool,
  clientParameters,
  connect,
  type Connection,
  postForm,
  refresh,
} from '../support/oauth.ts';
import { freePort } from '../support/ports.ts';
import { followed, kidsOf } from '../support/published-keys.ts';
import { recordsOf } from '../support/records.ts';
import { createStoreTest } from '../support/stores.ts';

/** Every instance follows within a second. */
const FOLLOW_MS = 1_000;

/** One that runs, so that tokens are valid however long a test takes, and can be put forward. */
function runningClock() {
  let ahead = 0;
  return { now: () => Date.now() + ahead, advance: (ms: number) => void (ahead += ms) };
}

const bothStores = await createStoreTest(async (store) => {
  const clock = runningClock();
  const harness = await startHarness({
    store,
    instances: 2,
    now: clock.now,
    env: { JWKS_CACHE_SECONDS: '60' },
  });
  return { ...harness, clock };
});

const PRIVATE = ['d', 'p', 'q', 'dp', 'dq', 'qi'];

const jwksOf = async (instance: string) =>
  (await (await fetch(`${instance}/.well-known/jwks.json`)).json()) as {
    keys: Record<string, string>[];
  };
const kidOf = (token: string) => decodeProtectedHeader(token).kid!;
const statusesOf = ({ instances }: Harness, token: string) =>
  Promise.all(
    instances.map(async (instance) => (await callTool(instance, token, 'listCompanies')).status),
  );

interface Listed {
  readonly kid: string;
  readonly state: 'next' | 'current' | 'retired';
  readonly [member: string]: unknown;
}

async function listed(harness: Harness): Promise<Listed[]> {
  return (await admin(harness, 'keys', 'list', '--json')).json<{ keys: Listed[] }>().keys;
}

const only = (keys: readonly Listed[], state: Listed['state']): string => {
  const found = keys.filter((key) => key.state === state);
  if (found.length !== 1) throw new Error(`${found.length} keys are ${state}`);
  return found[0]!.kid;
};

async function rotated(t: ExecutionContext, harness: Harness, ...flags: string[]) {
  const run = await admin(harness, 'keys', 'rotate', '--yes', '--json', ...flags);
  t.is(run.code, 0, run.err);
  const change = run.json<{
    current: string;
    next: string;
    kids: string[];
    breaks: object | null;
  }>();
  await followed(harness, change.kids);
  return change;
}

/** What a command wrote into the audit log. */
const adminLine = (err: string): Record<string, unknown> =>
  JSON.parse(err.split('\n').find((line) => line.includes('"event":"admin"'))!);

/** Tokens that every instance signs now. */
async function renewed({ instances }: Harness, { client, tokens }: Connection) {
  let { refresh_token } = tokens;
  const made: string[] = [];
  for (const instance of instances) {
    const { body } = await refresh(instance, client, refresh_token);
    refresh_token = body.refresh_token;
    made.push(body.access_token);
  }
  return made;
}

bothStores(
  '[D12] [T53] keys list shows what there is, and rotate waits until others know the next key',
  async (t, world) => {
    const run = await admin(world, 'keys', 'list');
    t.is(run.code, 0);
    const [current, next] = await kidsOf(world.url);
    t.regex(run.out, new RegExp(`^current +${current} .* now +it is replaced$`, 'm'));
    t.regex(run.out, new RegExp(`^next +${next} .* from .* it is the next one$`, 'm'));
    const before = await recordsOf(world);

    const early = await admin(world, 'keys', 'rotate', '--yes');
    t.is(early.code, 3);
    t.regex(early.err, new RegExp(`${next} may sign from .* --now rotates all the same`));
    t.deepEqual(JSON.parse((await admin(world, 'keys', 'rotate', '--json')).out).error, 'refused');

    const dry = await admin(world, 'keys', 'rotate', '--now', '--dry-run');
    t.is(dry.code, 0);
    t.regex(dry.out, /refuses the new\nones until it fetches again/);
    const plan = (await admin(world, 'keys', 'rotate', '--now', '--dry-run', '--json')).json();
    const known = (await listed(world)).find(({ kid }) => kid === next)!;
    const breaks = { fetchedBefore: known.createdAt, until: known.maySignFrom };
    t.deepEqual(plan.breaks, breaks);
    const alone = await admin(world, 'keys', 'rotate', '--now');
    t.is(alone.code, 6, 'nobody is there to confirm');
    const no = createTerminal(world.env, { answers: [false], now: world.now });
    t.is((await runIn(no, 'keys', 'rotate', '--now')).code, 6);
    t.regex(no.printed.err(), /refuses the new/, 'the question says what breaks');
    t.deepEqual(await recordsOf(world), before, 'nothing of it changed anything');

    t.is((await admin(world, 'keys', 'export')).code, 2);
    const exported = await admin(world, 'keys', 'export', '--public');
    t.deepEqual(exported.json(), await jwksOf(world.url));
    for (const member of PRIVATE) t.notRegex(exported.out, new RegExp(`"${member}":`));
  },
);

bothStores(
  '[D12] [T20] a rotation is in force on every instance within a second, and old tokens stay valid',
  async (t, world) => {
    const connection = await connect(world);
    const [current, next] = await kidsOf(world.url);
    t.is(kidOf(connection.tokens.access_token), current);
    const waiting = (await listed(world)).find(({ kid }) => kid === next)!;
    t.is(
      Date.parse(waiting.maySignFrom as string) - Date.parse(waiting.createdAt as string),
      (60 + 1) * 1_000,
      'an instance may be a second late',
    );
    world.clock.advance(61_500);
    const { tokens } = await connect(world, { client: connection.client });
    const change = await rotated(t, world);
    t.is(change.current, next);
    t.is(change.breaks, null, 'everybody knows the key');
    for (const instance of world.instances) {
      const { keys } = await jwksOf(instance);
      t.deepEqual(
        keys.map(({ kid }) => kid),
        [next, change.next, current],
        'current, next, retired',
      );
      for (const key of keys) {
        t.deepEqual(Object.keys(key).toSorted(), ['alg', 'e', 'kid', 'kty', 'n', 'use']);
      }
    }
    t.deepEqual(await statusesOf(world, tokens.access_token), [200, 200], 'of the retired key');
    for (const token of await renewed(world, connection)) {
      t.is(kidOf(token), next);
      t.deepEqual(await statusesOf(world, token), [200, 200]);
    }
    const told = world.logs.find({ event: 'keys.changed', outcome: 'noticed' });
    t.deepEqual(told.at(-1)!.kids, [next, change.next, current]);
    const retired = (await listed(world)).find(({ kid }) => kid === current)!;
    t.like(retired, { state: 'retired', isNeeded: true });
    t.is(
      Date.parse(retired.neededUntil as string) - Date.parse(retired.lastUsedAt as string),
      (3_600 + 1 + 30) * 1_000,
    );
  },
);

bothStores(
  '[T20] [T53] a leaked key is refused everywhere within a second, and clients go on by themselves',
  async (t, world) => {
    const metadata = { token_endpoint_auth_method: 'client_secret_post' };
    const connection = await connect(world, { metadata });
    const question = {
      ...clientParameters(connection.client),
      token: connection.tokens.access_token,
    };
    const isActive = async () =>
      (await postForm(`${world.instances[1]}/oauth2/introspect`, question)).body.active;
    t.true(await isActive());
    const leaked = await kidsOf(world.url);
    const old = connection.tokens.access_token;
    t.is(kidOf(old), leaked[0]);
    t.deepEqual(await statusesOf(world, old), [200, 200]);

    const dry = await admin(world, 'keys', 'retire', leaked[0]!, '--dry-run');
    t.regex(dry.out, /refuses the access tokens that it signed/);
    t.is((await admin(world, 'keys', 'retire', 'nothing', '--yes')).code, 4);
    const run = await admin(world, 'keys', 'retire', leaked[0]!, '--yes', '--json');
    t.is(run.code, 0, run.err);
    t.is(run.json().current, leaked[1], 'the next one took over');
    t.is(run.json().retired, leaked[0]);
    t.is(adminLine(run.err).retired, leaked[0], 'the audit log names it');
    // Before they look by themselves, half a second from now, they have to when a second has passed by the clock.
    world.clock.advance(FOLLOW_MS);
    t.false(await isActive());
    t.deepEqual(await statusesOf(world, old), [401, 401]);
    await followed(world, run.json().kids);
    for (const instance of world.instances) {
      const kids = await kidsOf(instance);
      t.is(kids.length, leaked.length, 'the next one took over, and a new one is next');
      t.false(kids.includes(leaked[0]!));
    }
    t.deepEqual(await statusesOf(world, old), [401, 401]);
    const fresh = await renewed(world, connection);
    for (const token of fresh) t.deepEqual(await statusesOf(world, token), [200, 200]);

    // A next key that leaked has signed nothing.
    const next = only(await listed(world), 'next');
    const second = await admin(world, 'keys', 'retire', next, '--yes', '--json');
    t.is(second.code, 0);
    await followed(world, second.json().kids);
    t.false((await kidsOf(world.url)).includes(next));
    t.deepEqual(await statusesOf(world, fresh[0]!), [200, 200]);
  },
);

bothStores.redis(
  '[D12] [T20] however soon a rotation follows another, no instance meets a key that it does not know',
  async (t, world) => {
    const { client, tokens } = await connect(world);
    let { refresh_token } = tokens;
    let isOver = false;
    const seen = new Set<string>();
    const statuses = new Set<number>();
    const use = async () => {
      for (let i = 0; !isOver; i++) {
        const { body } = await refresh(world.instances[i % 2]!, client, refresh_token);
        refresh_token = body.refresh_token;
        seen.add(kidOf(body.access_token));
        for (const status of await statusesOf(world, body.access_token)) statuses.add(status);
        await wait(40);
      }
    };
    const using = use();
    const started = performance.now();
    for (let i = 0; i < 4; i++) {
      const run = await admin(world, 'keys', 'rotate', '--now', '--yes');
      t.is(run.code, 0);
      t.regex(run.out, /refuses the new\nones until it fetches again/);
    }
    // Each key but perhaps the first is new, and is left the second that instances may need to notice it.
    t.true(performance.now() - started >= 3 * 990);
    await wait(FOLLOW_MS);
    isOver = true;
    await using;
    t.true(seen.size > 2, 'the rotations were seen');
    t.deepEqual([...statuses], [200]);
  },
);

bothStores('[T53] of two rotations at once one wins, and the other says so', async (t, world) => {
  const before = await listed(world);
  const runs = await Promise.all(
    [1, 2, 3].map(() => admin(world, 'keys', 'rotate', '--now', '--yes')),
  );
  t.deepEqual(
    runs.map(({ code }) => code).toSorted(),
    [0, 5, 5],
    runs.map(({ err }) => err).join(''),
  );
  for (const { code, err } of runs) {
    const outcome = code === 0 ? 'success' : 'refused';
    t.regex(err, new RegExp(`"event":"admin","outcome":"${outcome}","command":"keys rotate"`));
    if (code === 5) t.regex(err, /Somebody else changed the keys meanwhile/);
  }
  const after = await listed(world);
  t.is(after.length, before.length + 1);
  t.is(only(after, 'current'), only(before, 'next'));
});

bothStores(
  '[D12] [T53] prune drops what no unexpired token can need, and nothing else',
  async (t, world) => {
    // Old enough for every instance to know the next key, so that the command need not wait.
    world.clock.advance(31_000);
    const { breaks } = await rotated(t, world, '--now');
    t.deepEqual(Object.keys(breaks!), ['fetchedBefore', 'until'], 'it says what breaks');
    const keys = await listed(world);
    const retired = keys.filter(({ state }) => state === 'retired').map(({ kid }) => kid);
    const newest = keys.find(({ state }) => state === 'retired')!.kid;
    for (const kid of [only(keys, 'current'), only(keys, 'next'), newest]) {
      const refused = await admin(world, 'keys', 'prune', kid, '--yes');
      t.is(refused.code, 3, kid);
      t.regex(refused.err, new RegExp(`${kid} stays`));
    }
    t.is((await admin(world, 'keys', 'prune', 'nothing', '--yes')).code, 4);
    world.clock.advance(3_600_000);
    t.is((await admin(world, 'keys', 'prune', newest, '--yes')).code, 3, 'clocks may differ');
    world.clock.advance(33_000);
    const dry = (await admin(world, 'keys', 'prune', '--dry-run', '--json')).json();
    t.deepEqual(dry.prunes.toSorted(), retired.toSorted());
    const run = await admin(world, 'keys', 'prune', '--yes', '--json');
    t.is(run.code, 0, run.err);
    t.deepEqual(run.json().pruned.toSorted(), retired.toSorted());
    t.deepEqual(adminLine(run.err).pruned, run.json().pruned, 'the audit log names them');
    t.deepEqual(
      (await listed(world)).map(({ state }) => state),
      ['current', 'next'],
    );
    const again = await admin(world, 'keys', 'prune');
    t.is(again.code, 0);
    t.regex(again.out, /no retired keys/);
  },
);

test.serial('[D12] two instances that start together make one set of keys', async (t) => {
  const harness = await startHarness({ store: 'redis' });
  t.teardown(harness.close);
  for (let database = 1; database <= 3; database++) {
    const apps = await Promise.all(
      [1, 2].map(async () => {
        const port = await freePort();
        const REDIS_URL = `${harness.redis!.url}/${database}`;
        const config = loadConfig({ ...harness.env, PORT: String(port), REDIS_URL });
        return startApp(config, { log: createLog('silent') });
      }),
    );
    const [one, other] = await Promise.all(
      apps.map(({ port }) => jwksOf(`http://localhost:${port}`)),
    );
    await Promise.all(apps.map((app) => app.close()));
    t.is(one!.keys.length, 2);
    t.deepEqual(one, other);
  }
});

test.serial('every command of keys and vault has a help text with an example', async (t) => {
  const nouns = {
    keys: ['list', 'rotate', 'retire', 'prune', 'export'],
    vault: ['check', 'rekey'],
  };
  for (const [noun, verbs] of Object.entries(nouns)) {
    const { out } = await runIn(createTerminal({}), noun, '--help');
    for (const verb of verbs) {
      t.regex(out, new RegExp(`^ +${verb}\\b`, 'm'));
      const help = await runIn(createTerminal({}), noun, verb, '--help');
      t.is(help.code, 0);
      t.regex(help.out, new RegExp(`Example:\\n +npm run .* ${verb}`), verb);
    }
  }
});

bothStores('an id that begins with a dash is an id', async (t, world) => {
  for (const args of [
    ['-QSCbwkaIj80GLri'],
    ['-QSCbwkaIj80GLri', '--yes'],
    ['--yes', '-QSCbwkaIj80GLri'],
    ['--yes', '--', '--x'],
  ]) {
    const run = await admin(world, 'keys', 'retire', ...args);
    t.is(run.code, 4, run.err);
    t.regex(run.err, /There is no key -/);
  }
  t.is((await admin(world, 'keys', 'retire', '--nothing')).code, 2);
  t.is((await admin(world, 'keys', 'retire', '-x')).code, 2);
});

bothStores(
  'a store that was never started with has no keys to show or to change',
  async (t, world) => {
    const elsewhere = {
      ...world,
      env: {
        ...world.env,
        SQLITE_PATH: `${world.dataDir}/other.db`,
        ...(world.redis && { REDIS_URL: `${world.redis.url}/5` }),
      },
    };
    for (const command of ['list', 'rotate', 'prune']) {
      const run = await admin(elsewhere, 'keys', command);
      t.is(run.code, 4, command);
      t.regex(run.err, /makes them when it starts for the first time/);
    }
  },
);
