import test, { type ExecutionContext } from 'ava';
import { setTimeout as sleep } from 'node:timers/promises';
import { duringTrouble } from './during.ts';
import { STEPS } from './flow.ts';
import { PATIENCE_MS, untilReady } from './judge.ts';
import { startWorld, type World } from './world.ts';

/**
 * A Redis that is slow, stands still, or has become a black hole. A client waits for two seconds at the most, and what it
 * was refused was not done: it can do it again.
 *
 * One test after the other: what is measured is how long a client waits, not how long for its turn in this process.
 */

async function start(t: ExecutionContext): Promise<World> {
  const world = await startWorld();
  t.teardown(world.close);
  return world;
}

test.serial('[X7] redis: with 200 ms for every answer of Redis everything works', async (t) => {
  const world = await start(t);
  world.shim.delay(200, 'down');
  await t.notThrowsAsync(world.flow().run());
});

for (const ms of [450, 700]) {
  test.serial(
    `[X7] redis: with ${ms} ms for every command every request is answered in time, and what was refused was not done`,
    async (t) => {
      const world = await start(t);
      const refused = await duringTrouble(t, world, {
        begin: () => world.shim.delay(ms, 'up'),
        end: () => world.shim.pass(),
      });
      t.log(`refused: ${refused.join(', ')}`);
      t.true(refused.length > 0 && refused.length < STEPS.length);
    },
  );
}

test.serial(
  '[X7] redis: with 2 s for every command every request that needs Redis is refused in time and can be repeated',
  async (t) => {
    const world = await start(t);
    const refused = await duringTrouble(t, world, {
      begin: () => world.shim.delay(2_000, 'up'),
      meanwhile: (waiting) => assertServing(t, world, waiting),
      end: () => world.shim.pass(),
    });
    t.deepEqual(refused, [...STEPS]);
  },
);

test.serial(
  '[X7] redis: while Redis stands still every request that needs it is refused in time and can be repeated',
  async (t) => {
    const world = await start(t);
    const { pid } = world.redis;
    const refused = await duringTrouble(t, world, {
      begin: () => process.kill(pid, 'SIGSTOP'),
      meanwhile: (waiting) => assertServing(t, world, waiting),
      // What was sent to it waits there, and must not be carried out when it goes on.
      afterwards: () => sleep(3_500),
      end: () => process.kill(pid, 'SIGCONT'),
    });
    t.deepEqual(refused, [...STEPS]);
  },
);

test.serial(
  '[X11] [X7] redis: in a black hole every request is refused in time, and is served as soon as the way is free',
  async (t) => {
    const world = await start(t);
    const refused = await duringTrouble(t, world, {
      begin: () => world.shim.blackhole(),
      meanwhile: (waiting) => assertServing(t, world, waiting),
      afterwards: () => sleep(2_000),
      end: () => world.shim.pass(),
    });
    t.deepEqual(refused, [...STEPS]);
  },
);

test.serial(
  '[X11] redis: a connection that died in silence while nobody used it is replaced',
  async (t) => {
    const world = await start(t);
    const flow = world.flow();
    await flow.run('register', 'redeem the code');
    const before = world.shim.traffic.connections;
    // What was sent into the hole stays lost, and the connection with it.
    world.shim.blackhole();
    const isReplaced = () => world.shim.traffic.connections > before;
    for (let waited = 0; waited < 15_000 && !isReplaced(); waited += 100) await sleep(100);
    t.true(isReplaced(), 'found out by itself');
    world.shim.pass();
    const ms = await untilReady(world.base);
    t.true(ms < PATIENCE_MS, `ready after ${Math.round(ms)} ms`);
    await t.notThrowsAsync(flow.run('call a tool'));
  },
);

/** What needs no store is answered while others wait for it: over and over, until the last of them has its answer. */
async function assertServing(
  t: ExecutionContext,
  { base }: World,
  waiting: () => number,
): Promise<void> {
  let rounds = 0;
  do {
    for (const path of ['/healthz', '/.well-known/oauth-authorization-server']) {
      t.is((await fetch(base + path)).status, 200);
    }
    if (waiting() > 0) rounds++;
  } while (waiting() > 0);
  t.true(rounds > 0, 'served while others waited');
}
