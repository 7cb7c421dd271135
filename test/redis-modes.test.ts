import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import test from 'ava';
import { startBalancer } from './journeys/balancer.ts';
import { createFlow } from './redis/flow.ts';
import { makeCertificates } from './support/certificates.ts';
import { startHarness } from './support/harness.ts';
import { callMcp } from './support/oauth.ts';
import { freePort } from './support/ports.ts';
import { startRedisCluster } from './support/redis-cluster.ts';
import { type RedisSentinels, startRedisSentinels } from './support/redis-sentinel.ts';
import { startRedis } from './support/redis.ts';

/** One whole connection over two instances on every kind of Redis: what one instance begins the other goes on with. */

const certificates = await makeCertificates();
test.after.always(() => certificates.remove());
// In this process, which runs already; NODE_EXTRA_CA_CERTS is for a start.
setDefaultCACertificates([...getCACertificates('default'), certificates.ca]);

interface Behind {
  readonly env: Record<string, string>;
  stop(): Promise<unknown>;
}

const MODES: Readonly<Record<string, () => Promise<Behind>>> = {
  async cluster() {
    const { urls, stop } = await startRedisCluster();
    return { env: { REDIS_MODE: 'cluster', REDIS_URL: urls.join(',') }, stop };
  },
  sentinel: async () => behindSentinels(await startRedisSentinels()),
  async 'single with TLS'() {
    const port = await freePort();
    const server = await startRedis({ args: certificates.redisArgs(port) });
    return { env: { REDIS_URL: `rediss://localhost:${port}` }, stop: server.stop };
  },
  'sentinel with TLS': async () => behindSentinels(await startRedisSentinels({ certificates })),
  async 'cluster with TLS'() {
    const { urls, stop } = await startRedisCluster({ certificates });
    return { env: { REDIS_MODE: 'cluster', REDIS_URL: urls.join(',') }, stop };
  },
};

function behindSentinels({ urls, name, stop }: RedisSentinels): Behind {
  const env = { REDIS_MODE: 'sentinel', REDIS_SENTINEL_NAME: name, REDIS_URL: urls.join(',') };
  return { env, stop };
}

for (const [mode, start] of Object.entries(MODES)) {
  test(`[D11] [T36] redis ${mode}: a connection that is begun at one instance is finished at the other`, async (t) => {
    const behind = await start();
    t.teardown(behind.stop);
    const balancer = await startBalancer();
    t.teardown(balancer.close);
    const env = { ...behind.env, PUBLIC_URL: balancer.url, RATE_LIMIT_FACTOR: '0' };
    const harness = await startHarness({ instances: 2, env });
    t.teardown(harness.close);
    balancer.targets = harness.instances;
    const at = (instance: number): void => void (balancer.route = () => instance);
    const flow = createFlow({ base: balancer.url, sandbox: harness.sandbox });

    at(0);
    await flow.run('register', 'consent page');
    at(1);
    await flow.run('approve', 'approve');
    at(0);
    await flow.run('callback', 'resume');
    at(1);
    await flow.run('redeem the code', 'call a tool');
    at(0);
    await flow.run('refresh', 'refresh');
    at(1);
    await flow.run('call a tool again', 'call a tool again');
    at(0);
    await flow.run('revoke', 'revoke');
    const { second } = flow.held;
    const over = await callMcp(harness.instances[0]!, second!.access_token, 'tools/list');
    t.is(over.status, 401);
    for (const instance of harness.instances) {
      t.is((await fetch(`${instance}/readyz`)).status, 200);
    }
    const keys = harness.instances.map(async (instance) =>
      (await fetch(`${instance}/.well-known/jwks.json`)).text(),
    );
    t.is(new Set(await Promise.all(keys)).size, 1, 'one set of signing keys');
    t.deepEqual(harness.logs.find({ level: 'error' }), []);

    // And each in turn, request by request.
    let turn = 0;
    balancer.route = () => turn++ % 2;
    await createFlow({ base: balancer.url, sandbox: harness.sandbox }).run();
    t.pass();
  });
}
