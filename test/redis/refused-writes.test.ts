import test, { type ExecutionContext } from 'ava';
import { freePort } from '../support/ports.ts';
import { duringTrouble } from './during.ts';
import { type StepName, STEPS, upTo } from './flow.ts';
import { assertAway, untilReady } from './judge.ts';
import { startWorld, type World } from './world.ts';

/** A Redis that answers, but takes no writes: it became a replica, or its memory is full. */

const READS: readonly StepName[] = ['consent page', 'call a tool', 'call a tool again'];
const WRITES = STEPS.filter((step) => !READS.includes(step));

const TROUBLES = {
  '[X5] redis: while it is a replica': {
    begin: async ({ redis }: World) =>
      redis.command('REPLICAOF', '127.0.0.1', String(await freePort())),
    end: ({ redis }: World) => redis.command('REPLICAOF', 'NO', 'ONE'),
    refused: WRITES,
  },
  '[X9] redis: while its memory is full': {
    begin: ({ redis }: World) => redis.command('CONFIG', 'SET', 'maxmemory', '1'),
    end: ({ redis }: World) => redis.command('CONFIG', 'SET', 'maxmemory', '0'),
    // What only removes is taken.
    refused: WRITES.filter((step) => step !== 'revoke'),
  },
} as const;

for (const [when, { begin, end, refused }] of Object.entries(TROUBLES)) {
  test(`${when} what writes is refused and can be repeated, what reads works`, async (t) => {
    const world = await start(t);
    const found = await duringTrouble(t, world, {
      begin: () => begin(world),
      end: () => end(world),
    });
    t.deepEqual(found, [...refused]);
  });

  test(`${when} a refresh is refused without spending its token, and tool calls go on`, async (t) => {
    const world = await start(t);
    const flow = await upTo('refresh', world.flow());
    await begin(world);
    for (let round = 0; round < 5; round++) {
      const answer = await flow.send('refresh');
      assertAway(t, flow, 'refresh', answer);
      // Once looked up anew, once believed.
      world.advance(1);
      await t.notThrowsAsync(flow.run('call a tool', 'call a tool'));
      await t.notThrowsAsync(flow.run('call a tool', 'call a tool'));
    }
    t.is((await fetch(`${world.base}/readyz`)).status, 503);
    t.is((await fetch(`${world.base}/.well-known/jwks.json`)).status, 200);
    await end(world);
    await untilReady(world.base);
    await t.notThrowsAsync(flow.run('refresh'));
  });
}

async function start(t: ExecutionContext): Promise<World> {
  const world = await startWorld();
  t.teardown(world.close);
  return world;
}
