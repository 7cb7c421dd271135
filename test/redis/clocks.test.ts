import { once } from 'node:events';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { startSandbox } from '../../sandbox/index.ts';
import { startBalancer } from '../journeys/balancer.ts';
import { type Answer, callTool, clientParameters, postForm, refresh } from '../support/oauth.ts';
import { startRedis } from '../support/redis.ts';
import { startServerProcess } from '../support/server-process.ts';
import { createFlow, words } from './flow.ts';

/** Two server processes on one Redis, and the clock of one of them is wrong, or is set while it works. */

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** How long an instance believes what it has seen, and as much again. */
const BELIEVED_MS = 1_600;

async function start(t: ExecutionContext) {
  const [redis, sandbox, balancer] = await Promise.all([
    startRedis({ persist: true }),
    startSandbox({ port: 0 }),
    startBalancer(),
  ]);
  for (const close of [redis.stop, sandbox.close, balancer.close]) t.teardown(close);
  const env = {
    REDIS_URL: redis.url,
    MASTER_KEYS: randomBytes(32).toString('base64url'),
    PUBLIC_URL: balancer.url,
    NEONPANEL_URL: sandbox.url,
    RATE_LIMIT_FACTOR: '0',
  };
  const right = await startServerProcess(t, { stdout: 'pipe', env });
  const command = ['--import', './test/support/movable-clock.ts', 'server.js'];
  const wrong = await startServerProcess(t, {
    stdout: 'pipe',
    ipc: true,
    command: [process.execPath, ...command],
    env,
  });
  let log = '';
  for (const { child } of [right, wrong]) {
    child.stdout!.setEncoding('utf8').on('data', (text: string) => (log += text));
  }
  balancer.targets = [right.url, wrong.url];
  return {
    right: right.url,
    wrong: wrong.url,
    redis,
    log: () => log,
    flow: () => createFlow({ base: balancer.url, sandbox }),
    async set(offMs: number) {
      wrong.child.send(offMs);
      await once(wrong.child, 'message');
    },
  };
}

const answered = (t: ExecutionContext, answer: Answer<any>, status: number, what: string) =>
  t.is(answer.status, status, `${what}: ${words(answer)}`);

test('[X29] [T66] redis: a clock that is 10 s off goes unnoticed, one that is far off or jumps ends no connection and keeps none alive', async (t) => {
  const world = await start(t);
  const { right, wrong, set } = world;

  // Every other request of each connection goes to the one, the rest to the other.
  for (const offMs of [10 * SECOND, -10 * SECOND]) {
    await set(offMs);
    await t.notThrowsAsync(world.flow().run(), `${offMs} ms`);
    await t.notThrowsAsync(world.flow().run(), `${offMs} ms`);
  }

  await set(0);
  const flow = world.flow();
  await flow.run('register', 'redeem the code');
  const client = flow.held.client!;
  let token = flow.held.first!.refresh_token;
  const renew = async (at: string, what: string): Promise<string> => {
    const answer = await refresh(at, client, token);
    answered(t, answer, 200, `refresh, ${what}`);
    token = answer.body.refresh_token;
    return answer.body.access_token;
  };
  const call = (at: string, accessToken: string) => callTool(at, accessToken, 'listCompanies');
  // Forwards, backwards, further than a sign-in lives, and back.
  for (const offMs of [5, -5, 20, 0, -20, 5, 0].map((minutes) => minutes * MINUTE)) {
    const what = `${offMs} ms off`;
    await set(offMs);
    const made = await renew(wrong, what);
    answered(t, await call(wrong, made), 200, `its own token, ${what}`);
    const before = token;
    const usual = await renew(right, what);
    answered(t, await call(right, usual), 200, `the other's token, ${what}`);
    const repeated = await refresh(right, client, before);
    t.is(repeated.body.refresh_token, token, 'in the grace');
    for (const answer of [await call(right, made), await call(wrong, usual)]) {
      t.true([200, 401].includes(answer.status), `${what}: ${words(answer)}`);
    }
    await assertLifetimes(t, world.redis, what);
  }

  // Set back behind the moment at which it believed the grant.
  const last = await renew(wrong, 'at the end');
  answered(t, await call(wrong, last), 200, 'before the revocation');
  await set(-10 * SECOND);
  const form = { token, ...clientParameters(client) };
  t.is((await postForm(`${right}/oauth2/revoke`, form)).status, 200);
  await sleep(BELIEVED_MS);
  answered(t, await call(wrong, last), 401, 'after the revocation');
  t.notRegex(world.log(), /"status":500|"server_error"|"crash"/);
});

/** Redis's clock ends what the instances wrote, and by no clock it may live longer than it should. */
const LIFETIME_SECONDS: Readonly<Record<string, number>> = {
  interaction: 900,
  login: 600,
  code: 60,
  grant: 7_776_000,
  credential: 7_776_000,
  // 180 days behind the end of its last grant.
  client: 270 * 86_400,
  waiting: 30 * 86_400,
};

async function assertLifetimes(
  t: ExecutionContext,
  redis: Awaited<ReturnType<typeof startRedis>>,
  what: string,
): Promise<void> {
  const names = (await redis.command('KEYS', 'neonpanel-mcp:*'))
    .split('\r\n')
    .filter((line) => line.startsWith('neonpanel-mcp:') && !line.includes('{neonpanel}'));
  for (const name of names) {
    const most = LIFETIME_SECONDS[name.split('}:')[1]!];
    if (most === undefined) continue;
    const left = Number((await redis.command('TTL', name)).slice(1));
    t.true(left >= -2 && left !== -1 && left <= most, `${name}: ${left} s, ${what}`);
  }
}
