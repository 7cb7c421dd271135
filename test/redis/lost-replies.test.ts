import test from 'ava';
import { STEPS } from './flow.ts';
import { startWorld, type World } from './world.ts';

/**
 * A reply of Redis that never arrives: whatever it was the reply to, the request it belongs to has its normal answer, and
 * nothing happens twice.
 */
for (const instances of [1, 2]) {
  const where = instances === 1 ? '' : ', with two instances in turn';
  test(`[X8] [D9] redis: any one reply of a whole flow may get lost with its connection and nobody notices${where}`, async (t) => {
    const world = await startWorld({ instances });
    t.teardown(world.close);
    const lost: string[] = [];
    for (;;) {
      const purpose = await flowWithout(world, lost.length + 1);
      if (purpose === undefined) break;
      lost.push(purpose);
      t.true(lost.length < 200, 'a flow has an end');
    }
    t.log(`${lost.length} replies, one lost in each flow: ${lost.join(' · ')}`);
    t.true(lost.length > 30, `only ${lost.length} commands were seen`);
    t.true(world.shim.traffic.connections > lost.length, 'each cost a connection');
    for (const step of STEPS)
      t.true(
        lost.some((what) => what.startsWith(`${step}: `)),
        step,
      );
    const { logs } = world.harness;
    t.deepEqual(
      [...logs.find({ event: 'refused' }), ...logs.find({ event: 'server_error' })],
      [],
      'and nothing was refused on the way',
    );
  });
}

/**
 * Runs a whole flow, each of whose requests must have its normal answer, and loses the reply to its nth command.
 * @returns what was lost, or undefined if the flow has fewer commands
 */
async function flowWithout(world: World, nth: number): Promise<string | undefined> {
  const { harness, redis } = world;
  const codesBefore = new Set(await world.records('code'));
  // Our client at NeonPanel is made anew, and all that is believed for a while is forgotten.
  await redis.command('DEL', 'neonpanel-mcp:{neonpanel}:client');
  world.advance(61);
  // So short that the first tool call renews it, under the lease that is kept in Redis.
  harness.sandbox.faults.set('token-lifetime', { seconds: 20, times: 1 });
  harness.sandbox.recorder.clear();

  const flow = world.flow();
  let step = '';
  let commands = 0;
  let lost: string | undefined;
  world.watch((purpose) => {
    if (++commands !== nth) return false;
    lost = `${step}: ${purpose}`;
    return true;
  });
  for (const name of STEPS) {
    step = name;
    world.advance(1);
    const answer = await flow.send(name);
    if (name === 'revoke')
      expectCount('grants after their revocation', await world.records('grant'), 0);
    await flow.take(name, answer).catch((error: Error) => {
      throw new Error(`without the reply to ${lost}: ${error.message}`);
    });
    if (name === 'redeem the code') expectCount('grants', await world.records('grant'), 1);
  }
  world.unwatch();

  const codes = (await world.records('code')).filter((code) => !codesBefore.has(code));
  expectCount('codes', codes, 1);
  const renewals = harness.sandbox.recorder
    .requests()
    .filter(({ body }) => body.includes('grant_type=refresh_token'));
  expectCount('refreshes at NeonPanel', renewals, 1);
  return lost;

  function expectCount(what: string, found: readonly unknown[], wanted: number): void {
    if (found.length === wanted) return;
    throw new Error(`without the reply to ${lost}: ${found.length} ${what}, not ${wanted}`);
  }
}
