import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { startSandbox, type Sandbox } from '../../sandbox/index.ts';
import { type Balancer, startBalancer } from '../journeys/balancer.ts';
import { type Answer, callTool, refresh } from '../support/oauth.ts';
import { startRedis } from '../support/redis.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { createFlow, type Flow, words } from './flow.ts';

/** Server processes that are killed (SIGKILL) in the middle of what they do; all they leave behind is in Redis. */

/** As long as the lease of a refresh at NeonPanel. */
const LEASE_MS = 8_000;

interface World {
  readonly sandbox: Sandbox;
  /** Another server process on the same Redis. */
  server(): Promise<ServerProcess>;
  /** A connection, made through this server. */
  connect(server: ServerProcess): Promise<Flow>;
}

async function start(t: ExecutionContext): Promise<World> {
  const redis = await startRedis({ persist: true });
  t.teardown(redis.stop);
  const sandbox = await startSandbox({ port: 0 });
  t.teardown(sandbox.close);
  const balancer: Balancer = await startBalancer();
  t.teardown(balancer.close);
  const env = {
    REDIS_URL: redis.url,
    MASTER_KEYS: randomBytes(32).toString('base64url'),
    PUBLIC_URL: balancer.url,
    NEONPANEL_URL: sandbox.url,
    RATE_LIMIT_FACTOR: '0',
  };
  return {
    sandbox,
    async server() {
      const server = await startServerProcess(t, { stdout: 'pipe', env });
      server.child.stdout!.resume();
      return server;
    },
    async connect({ url }) {
      balancer.targets = [url];
      const flow = createFlow({ base: balancer.url, sandbox });
      await flow.run('register', 'redeem the code');
      return flow;
    },
  };
}

async function kill({ child, ended }: ServerProcess): Promise<void> {
  child.kill('SIGKILL');
  await ended;
}

const succeeded = ({ status, body }: Answer<any>) => status === 200 && !body.result?.isError;
const refreshesAt = ({ recorder }: Sandbox): number =>
  recorder.requests().filter(({ body }) => body.includes('grant_type=refresh_token')).length;

test('[T37] [D10] redis: when an instance is killed while it waits for NeonPanel to renew a credential, another takes over', async (t) => {
  const world = await start(t);
  const { sandbox } = world;
  const [one, other] = await Promise.all([world.server(), world.server()]);
  sandbox.faults.set('token-lifetime', { seconds: 20, times: 1 });
  const { held } = await world.connect(one);
  const call = ({ url }: ServerProcess) => callTool(url, held.first!.access_token, 'listCompanies');

  sandbox.faults.set('hang', { path: '/oauth2/token', times: 1 });
  const lost = t.throwsAsync(call(one));
  while (refreshesAt(sandbox) < 1) await sleep(10);
  const started = performance.now();
  await kill(one);
  await lost;
  const answers = await Promise.all(Array.from({ length: 10 }, () => call(other)));
  const ms = performance.now() - started;
  for (const answer of answers) t.true(succeeded(answer), words(answer));
  t.true(ms < LEASE_MS + 2_000, `after ${Math.round(ms)} ms`);
  t.is(refreshesAt(sandbox), 2, 'the one that was lost, and one more');
  t.true(succeeded(await call(await world.server())));
});

test('[X24] redis: when an instance is killed after NeonPanel renewed a credential and before it was stored, the user is asked to sign in again', async (t) => {
  const world = await start(t);
  const { sandbox } = world;
  const [one, other] = await Promise.all([world.server(), world.server()]);
  sandbox.faults.set('token-lifetime', { seconds: 20, times: 1 });
  const { held } = await world.connect(one);
  const token = held.first!.access_token;
  // NeonPanel goes on when the connection breaks, and has spent the refresh token.
  sandbox.faults.set('slow', { path: '/oauth2/token', ms: 20_000, times: 1 });
  const lost = t.throwsAsync(callTool(one.url, token, 'listCompanies'));
  while (refreshesAt(sandbox) < 1) await sleep(10);
  await kill(one);
  await lost;

  const answer = await callTool(other.url, token, 'listCompanies');
  t.is(answer.status, 401, words(answer));
  t.regex(answer.headers.get('www-authenticate') ?? '', /^Bearer .*error="invalid_token"/);
  const over = await refresh(other.url, held.client!, held.first!.refresh_token);
  t.is(over.status, 400);
  t.is((over.body as object as { error: string }).error, 'invalid_grant');
  const again = await world.connect(other);
  t.true(succeeded(await callTool(other.url, again.held.first!.access_token, 'listCompanies')));
});
