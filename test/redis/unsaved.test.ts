import test from 'ava';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Answer, callTool } from '../support/oauth.ts';
import { words } from './flow.ts';
import { startWorld, type World } from './world.ts';

/**
 * A credential that NeonPanel renewed when Redis could not take it: the one it was made from is spent, and using that a
 * second time would end the connection. So nobody does, whichever instance is asked first when Redis is back.
 */

const CONNECTIONS = 4;
/** As long as a lease and a little: whoever holds one during the outage does not hold it any more. */
const OUTAGE_MS = 9_000;

const TROUBLES = {
  'its memory was full for a moment': {
    begin: ({ redis }: World) => redis.command('CONFIG', 'SET', 'maxmemory', '1'),
    ms: 500,
    end: ({ redis }: World) => redis.command('CONFIG', 'SET', 'maxmemory', '0'),
  },
  'it was away for longer than a lease': {
    begin: ({ redis }: World) => redis.kill(),
    ms: OUTAGE_MS,
    end: ({ redis }: World) => redis.start(),
  },
} as const;

for (const [what, { begin, ms, end }] of Object.entries(TROUBLES)) {
  test(`[X2] [X23] [D10] redis: when ${what} just as NeonPanel renewed a credential, the other instance does not spend the old one`, async (t) => {
    const world = await startWorld({ instances: 2 });
    t.teardown(world.close);
    const { faults, recorder } = world.harness.sandbox;
    const [one, other] = world.harness.instances as [string, string];
    faults.set('token-lifetime', { seconds: 20 });
    const flows = Array.from({ length: CONNECTIONS }, () => world.flow());
    for (const flow of flows) await flow.run('register', 'redeem the code');
    faults.clear();
    const call = (instance: string, n: number): Promise<Answer<any>> =>
      callTool(instance, flows[n]!.held.first!.access_token, 'listCompanies');
    const refreshes = () =>
      recorder.requests().filter(({ body }) => body.includes('grant_type=refresh_token')).length;

    // NeonPanel has been asked, and answers when Redis takes no writes any more; not all at once.
    faults.set('slow', { path: '/oauth2/token', ms: 2_500 });
    const first = flows.map(async (_, n) => {
      await sleep(n * 120);
      return call(one, n);
    });
    while (refreshes() < CONNECTIONS) await sleep(10);
    await begin(world);
    for (const { status } of await Promise.all(first)) t.is(status, 503);
    faults.clear();
    await sleep(ms);
    await end(world);

    const untilServed = async (n: number): Promise<Answer<any>> => {
      const started = performance.now();
      for (;;) {
        const answer = await call(other, n);
        if (answer.status !== 503 || performance.now() - started > 20_000) return answer;
        await sleep(20);
      }
    };
    for (const answer of await Promise.all(flows.map((_, n) => untilServed(n)))) {
      t.is(answer.status, 200, words(answer));
    }
    t.is(refreshes(), CONNECTIONS, 'each was renewed once');
  });
}
