import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { credentialKey } from '../../adapters/grants.ts';
import { openRedisStore } from '../../adapters/redis/redis.ts';
import { createSecrets } from '../../adapters/secrets.ts';
import { createVault } from '../../adapters/vault.ts';
import { type Answer, callMcp, callTool, clientParameters, postForm } from '../support/oauth.ts';
import { startRedis } from '../support/redis.ts';
import type { Flow } from './flow.ts';
import { startWorld, type World } from './world.ts';

/** Two instances that share nothing but Redis: what ends at one ends at the other, and NeonPanel is asked once. */

const ROUNDS = process.env.LONG_TESTS ? 200 : 20;

async function start(t: ExecutionContext): Promise<World> {
  const world = await startWorld({ instances: 2 });
  t.teardown(world.close);
  return world;
}

async function connected(world: World): Promise<Flow> {
  const flow = world.flow();
  await flow.run('register', 'redeem the code');
  return flow;
}

const revokeBy =
  (which: 'refresh_token' | 'access_token') =>
  async (instance: string, { held }: Flow): Promise<void> => {
    const token = held.first![which];
    const form = { token, ...clientParameters(held.client!) };
    const { status } = await postForm(`${instance}/oauth2/revoke`, form);
    if (status !== 200) throw new Error(`revocation: ${status}`);
  };

const ENDS: Readonly<Record<string, (instance: string, flow: Flow) => Promise<void>>> = {
  'its refresh token is revoked': revokeBy('refresh_token'),
  'its access token is revoked': revokeBy('access_token'),
  // Its credential is about to expire, and a tool call finds out that it can't be renewed.
  'NeonPanel refuses to renew its credential': async (instance, { held }) => {
    const { status } = await callTool(instance, held.first!.access_token, 'listCompanies');
    if (status !== 401) throw new Error(`the call: ${status}`);
  },
};

for (const [what, end] of Object.entries(ENDS)) {
  test.serial(
    `[T36] [D7] redis: when ${what} at one instance, a connection is over at the other within a second`,
    async (t) => {
      const world = await start(t);
      const { faults } = world.harness.sandbox;
      faults.set('token-lifetime', { seconds: 25 });
      const [one, other] = world.harness.instances as [string, string];
      const flows = await Promise.all([1, 2, 3].map(() => connected(world)));
      faults.set('refuse-refresh');
      const lived = await Promise.all(
        flows.map(async (flow) => {
          const token = flow.held.first!.access_token;
          const isAlive = async () => {
            const { status } = await callMcp(other, token, 'tools/list');
            if (![200, 401].includes(status)) throw new Error(`neither alive nor over: ${status}`);
            return status === 200;
          };
          t.true(await isAlive(), 'the other instance has just looked');
          await end(one, flow);
          // When the last request was sent that was still served.
          const ended = performance.now();
          for (let last = 0; ; await sleep(50)) {
            const sent = performance.now() - ended;
            if (!(await isAlive())) return last;
            last = sent;
            if (last > 5_000) return last;
          }
        }),
      );
      t.log(`alive for ${lived.map(Math.round).join(', ')} ms`);
      for (const ms of lived) t.true(ms < 1_000, `still alive after ${Math.round(ms)} ms`);
    },
  );
}

test.serial(
  '[T37] [X23] [D10] redis: 50 calls over two instances with an expired NeonPanel token cause one refresh and all succeed, every time',
  async (t) => {
    const world = await start(t);
    const { sandbox, instances } = world.harness;
    sandbox.faults.set('token-lifetime', { seconds: 120 });
    const { held } = await connected(world);
    for (let round = 1; round <= ROUNDS; round++) {
      world.advance(121);
      sandbox.recorder.clear();
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, n) =>
          callTool(instances[n % 2]!, held.first!.access_token, 'listCompanies'),
        ),
      );
      t.is(answers.filter(succeeded).length, 50, `round ${round}`);
      const refreshes = sandbox.recorder
        .requests()
        .filter(({ body }) => body.includes('grant_type=refresh_token'));
      t.is(refreshes.length, 1, `round ${round}`);
    }
  },
);

const succeeded = ({ status, body }: Answer<any>) => status === 200 && !body.result?.isError;

test.serial(
  '[X23] [D10] redis: of many credentials made from the same one, one takes its place, and none that is older takes its own',
  async (t) => {
    const redis = await startRedis();
    t.teardown(redis.stop);
    const secrets = createSecrets([randomBytes(32)]);
    const stores = await Promise.all(
      [1, 2].map(() =>
        openRedisStore({ config: { kind: 'redis', mode: 'single', urls: [redis.url] } }),
      ),
    );
    t.teardown(() => Promise.all(stores.map((store) => store.close())));
    const vaults = stores.map((store) => createVault({ store, secrets }));
    const store = stores[0]!;
    const vault = vaults[0]!;
    const grantId = 'g'.repeat(43);
    const credential = (name: string) => ({ accessToken: name, refreshToken: name, expiresAt: 1 });
    const current = async () => {
      const entry = (await store.read(credentialKey(grantId)))[0]!;
      return { ...entry, name: (await vault.open(grantId, 'user', entry))!.accessToken };
    };
    await store.commit([await vault.firstWrite(grantId, 'user', credential('first'), 60)]);

    const versions: string[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const { version } = await current();
      const names = Array.from({ length: 20 }, (_, n) => `${round}.${n}`);
      const replaced = await Promise.all(
        names.map((name, n) => vaults[n % 2]!.replace(grantId, 'user', credential(name), version)),
      );
      const winners = names.filter((_, n) => replaced[n]);
      t.is(winners.length, 1);
      t.is((await current()).name, winners[0]!);

      versions.push(version);
      for (const old of versions) {
        t.false(await vaults[1]!.replace(grantId, 'user', credential('late'), old));
      }
      t.is((await current()).name, winners[0]!);
    }
  },
);
