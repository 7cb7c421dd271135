import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { startRedis, type RedisServer, until } from '../support/redis.ts';
import { createTcpShim, type TcpShim } from '../support/tcp-shim.ts';
import { startHarness } from '../support/harness.ts';
import { type Answer, callTool, redeem, refresh } from '../support/oauth.ts';
import { createFlow, type Flow, words } from './flow.ts';
import { PATIENCE_MS, untilReady } from './judge.ts';

/**
 * The primary dies with writes that its replica never got, and the replica takes its place. Two real redis-servers, and
 * between them a network that swallows what the primary sends.
 */

const ROUNDS = process.env.LONG_TESTS ? 100 : 3;

interface World {
  readonly base: string;
  /** @returns the record as the primary has it */
  stored(name: string): Promise<string>;
  flow(): Flow;
  /** The replica gets nothing more. */
  cut(): void;
  /** It goes on, and has caught up. */
  heal(): Promise<void>;
  /** The primary dies, the replica becomes the primary, a new replica follows it. */
  failOver(): Promise<void>;
}

async function start(t: ExecutionContext): Promise<World> {
  let primary = await startRedis();
  let replica = await startReplica(primary);
  t.teardown(() => Promise.all([primary.stop(), replica.stop()]));
  const target = { port: primary.port };
  const shim = await createTcpShim(target);
  t.teardown(shim.close);
  const harness = await startHarness({ env: { REDIS_URL: `redis://127.0.0.1:${shim.port}` } });
  t.teardown(harness.close);
  const base = harness.url;
  t.true((await untilReady(base)) < PATIENCE_MS);
  return {
    base,
    stored: (name) => primary.command('GET', name),
    flow: () => createFlow({ base, sandbox: harness.sandbox }),
    cut: () => replica.link.blackhole('down'),
    async heal() {
      replica.link.pass();
      // What was swallowed is missing in the middle: it begins anew.
      replica.link.cut();
      await until('the replica has caught up', async () => {
        const [of, has] = await Promise.all([offsetOf(primary), offsetOf(replica)]);
        return of === has;
      });
    },
    async failOver() {
      await primary.kill();
      await replica.command('REPLICAOF', 'NO', 'ONE');
      await primary.stop();
      primary = replica;
      target.port = primary.port;
      shim.cut();
      replica = await startReplica(primary);
      t.true((await untilReady(base)) < PATIENCE_MS);
    },
  };
}

interface Replica extends RedisServer {
  /** Its way to the primary. */
  readonly link: TcpShim;
}

async function startReplica(primary: RedisServer): Promise<Replica> {
  const link = await createTcpShim({ port: primary.port });
  const args = ['--replicaof', '127.0.0.1', String(link.port)];
  const server = await startRedis({ args: [...args, '--repl-diskless-sync-delay', '0'] });
  await until('the replica follows', async () =>
    (await primary.command('INFO', 'replication')).includes('state=online'),
  );
  const stop = async () => {
    await server.stop();
    await link.close();
  };
  return { ...server, link, stop };
}

const offsetOf = async (server: RedisServer): Promise<string | undefined> =>
  /(?:slave|master)_repl_offset:(\d+)/.exec(await server.command('INFO', 'replication'))?.[1];

/** A connection whose code is still to be redeemed. */
async function withCode({ flow }: World): Promise<Flow> {
  const one = flow();
  await one.run('register', 'resume');
  return one;
}

const redeems = ({ base }: World, { held }: Flow) => redeem(base, held.attempt!, held.code!);
/** As a client does: again after 503. A replica on a busy machine may take more than its 100 ms. */
async function redeemsInTheEnd(world: World, flow: Flow) {
  for (let attempt = 0; ; attempt++) {
    const answer = await redeems(world, flow);
    if (answer.status !== 503 || attempt > 10) return answer;
    await sleep(1_000);
  }
}
const succeeds = ({ status, body }: Answer<any>) => status === 200 && !body.result?.isError;

test('[X6] [T4] redis: while no replica follows a code is not redeemed, and not lost either', async (t) => {
  const world = await start(t);
  const flow = await withCode(world);
  world.cut();
  for (let attempt = 0; attempt < 3; attempt++) {
    const refused = await redeems(world, flow);
    t.is(refused.status, 503, words(refused));
    t.is(refused.headers.get('retry-after'), '1');
    t.is((refused.body as object as { error: string }).error, 'temporarily_unavailable');
  }
  const other = flow.held.attempt!.client;
  t.is((await refresh(world.base, other, 'no-token')).status, 400, 'everything else goes on');
  await world.heal();
  await until('it is asked again', async () => (await redeems(world, flow)).status === 200);
  const again = await redeems(world, flow);
  t.is(again.status, 400, words(again));
});

test('[X6] [T4] [D8] redis: over failovers with lost writes no code is redeemed twice, and every connection goes on', async (t) => {
  const world = await start(t);
  const { base } = world;
  let lostRotations = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const [acknowledged, refused, rotating] = [
      await withCode(world),
      await withCode(world),
      await withCode(world),
    ];
    const opened = await redeemsInTheEnd(world, rotating);
    t.is(opened.status, 200, words(opened));
    const first = await redeemsInTheEnd(world, acknowledged);
    t.is(first.status, 200, words(first));
    world.cut();
    // Redemption is not acknowledged without the replica; a rotation is, and lost.
    const unconfirmed = await redeems(world, refused);
    t.is(unconfirmed.status, 503, words(unconfirmed));
    const { client } = rotating.held;
    const rotated = await refresh(base, client!, opened.body.refresh_token);
    t.is(rotated.status, 200, words(rotated));
    await world.failOver();

    const replayed = await redeems(world, acknowledged);
    t.is(replayed.status, 400, `redeemed a second time: ${words(replayed)}`);
    const [grantId] = rotated.body.refresh_token.split('.');
    const stored = await world.stored(`neonpanel-mcp:{${grantId}}:grant`);
    if (stored.includes('"generation":0')) lostRotations++;
    for (const token of [rotated.body.refresh_token, rotated.body.refresh_token]) {
      const next = await refresh(base, client!, token);
      t.is(next.status, 200, words(next));
      t.true(succeeds(await callTool(base, next.body.access_token, 'listCompanies')));
    }
    const late = await redeemsInTheEnd(world, refused);
    t.is(late.status, 200, words(late));
    t.is((await redeems(world, refused)).status, 400);
    t.true(succeeds(await callTool(base, late.body.access_token, 'listCompanies')));
    const family = await refresh(base, refused.held.attempt!.client, late.body.refresh_token);
    t.is(family.status, 200, words(family));
  }
  t.true(lostRotations > 0, 'writes were lost');
});
