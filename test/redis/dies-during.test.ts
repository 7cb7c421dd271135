import test, { type ExecutionContext } from 'ava';
import { after, isRefused, type StepName, STEPS, words } from './flow.ts';
import { assertAway, PATIENCE_MS, untilReady } from './judge.ts';
import { startWorld, type World } from './world.ts';

/**
 * Redis goes away in the middle of a request: before it took one of its commands, or after, so that only the answer is
 * missing. Each command of a flow in turn.
 */

/** Flows side by side, each with a Redis and a server of its own: most of the time they wait. */
const LANES = 8;

const WAYS = {
  'after the first byte of': ({ shim }: World) => {
    shim.cutAfter(1, 'up');
    setTimeout(() => shim.down(), 10);
  },
  'before the reply to': ({ shim }: World) => {
    shim.blackhole('down');
    setTimeout(() => shim.down(), 50);
  },
} as const;
type Way = keyof typeof WAYS;

/**
 * What was carried out although its request was answered with 503, and happens only once: nobody is told a code a second
 * time. The person connects again from the app; nothing that anybody already held is lost.
 */
const ONLY_ONCE: Partial<Record<string, RegExp>> = {
  'callback: evalsha login': /This sign-in can no longer be completed.*connect again/,
  'resume: evalsha code grant interaction':
    /This sign-in can no longer be completed.*connect again/,
  'redeem the code: evalsha code grant credential': /"invalid_grant"/,
};

test('[X2] [X24] [D11] redis: whenever Redis goes away in the middle of a request, the request says so and can be repeated when it is back', async (t) => {
  const finished = new Set<Way>();
  const onlyOnce = new Set<string>();
  const seen: Record<Way, Set<string>> = {
    'after the first byte of': new Set(),
    'before the reply to': new Set(),
  };
  const queue = cases();
  const lane = async () => {
    const world = await startWorld();
    t.teardown(world.close);
    for (const [way, nth] of queue) {
      if (finished.has(way)) continue;
      const { lost, repeatable } = await flowWithOutage(t, world, way, nth);
      if (lost === undefined) finished.add(way);
      else seen[way].add(`${nth}. ${lost}`);
      if (lost !== undefined && !repeatable) onlyOnce.add(`${way} ${lost}`);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));

  for (const [way, commands] of Object.entries(seen)) {
    t.log(`${commands.size} times Redis went away ${way} a command`);
    t.true(commands.size > 30, `${way}: only ${commands.size}`);
  }
  t.deepEqual(
    [...onlyOnce].toSorted(),
    Object.keys(ONLY_ONCE)
      .map((what) => `before the reply to ${what}`)
      .toSorted(),
  );
});

function* cases(): Generator<[Way, number]> {
  for (let nth = 1; nth < 200; nth++) for (const way of Object.keys(WAYS)) yield [way as Way, nth];
}

/** Runs a whole flow; Redis goes away at its nth command and is back when the request was answered. */
async function flowWithOutage(
  t: ExecutionContext,
  world: World,
  way: Way,
  nth: number,
): Promise<{ lost?: string; repeatable: boolean }> {
  const { harness, redis, shim } = world;
  await redis.command('DEL', 'neonpanel-mcp:{neonpanel}:client');
  // So short that the first tool call renews it, under the lease that is kept in Redis.
  harness.sandbox.faults.set('token-lifetime', { seconds: 20, times: 1 });
  world.advance(61);
  const flow = world.flow();
  let step: StepName = STEPS[0];
  let commands = 0;
  let lost: string | undefined;
  world.watch((purpose) => {
    if (++commands !== nth) return;
    lost = `${step}: ${purpose}`;
    WAYS[way](world);
  });

  for (let name: StepName | undefined = step; name; name = after(name)) {
    step = name;
    world.advance(1);
    let answer = await flow.send(name);
    if (lost?.startsWith(`${name}: `)) {
      const what = `${way} ${lost}`;
      t.true(answer.ms < PATIENCE_MS, `${what}: answered after ${answer.ms} ms`);
      shim.pass();
      t.true((await untilReady(world.base)) < PATIENCE_MS, what);
      if (isRefused(answer)) {
        if (answer.status === 503) assertAway(t, flow, name, answer);
        answer = await flow.again(name, answer);
        const expected = ONLY_ONCE[lost];
        if (answer.status === 400 && expected) {
          t.regex(words(answer), expected, what);
          return { lost, repeatable: false };
        }
      }
    }
    await flow.take(name, answer).catch((error: Error) => {
      throw new Error(`${way} ${lost}: ${error.message}`);
    });
  }
  world.unwatch();
  return { ...(lost !== undefined && { lost }), repeatable: true };
}
