import test from 'ava';
import { Redis } from 'ioredis';
import { createClock } from '../support/clock.ts';
import { startHarness } from '../support/harness.ts';
import { callTool, connect } from '../support/oauth.ts';

/** vault.test.ts does the same to the embedded store. */
test('[T17] redis: credentials and grants that traded places open for neither user, and NeonPanel is not asked', async (t) => {
  const clock = createClock();
  const harness = await startHarness({ store: 'redis', now: clock.now });
  t.teardown(harness.close);
  const redis = new Redis(harness.redis!.url);
  t.teardown(() => redis.disconnect());
  const { url, sandbox } = harness;
  const people = await Promise.all(
    sandbox.users.slice(0, 2).map((user) => connect(harness, { user })),
  );
  const companies = async () => {
    clock.advance(1_000);
    return Promise.all(
      people.map(async ({ tokens }) => {
        const { status, body } = await callTool(url, tokens.access_token, 'listCompanies');
        if (status !== 200) return [status];
        return body.result.structuredContent.data.map(({ id }: { id: number }) => id);
      }),
    );
  };
  const swap = async (kind: string) => {
    const [one, two] = people.map(({ code }) => `neonpanel-mcp:{${code.split('.')[0]}}:${kind}`);
    const [first, second] = await redis.mget(one!, two!);
    await redis.set(one!, second!, 'KEEPTTL');
    await redis.set(two!, first!, 'KEEPTTL');
  };
  const before = await companies();
  t.deepEqual(before, [[201, 202, 203], [301]]);
  const asked = sandbox.recorder.requests().length;
  await swap('credential');
  t.deepEqual(await companies(), [[401], [401]], 'credentials');
  await swap('grant');
  t.deepEqual(await companies(), [[401], [401]], 'both');
  await swap('credential');
  t.deepEqual(await companies(), [[401], [401]], 'grants');
  t.is(sandbox.recorder.requests().length, asked);
  await swap('grant');
  t.deepEqual(await companies(), before);
});
