import { setTimeout as wait } from 'node:timers/promises';
import test from 'ava';
import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import { admin } from '../support/admin.ts';
import { startHarness } from '../support/harness.ts';
import {
  callMcp,
  clientParameters,
  connect,
  type Connection,
  postForm,
  refresh,
  register,
} from '../support/oauth.ts';

const isLong = Boolean(process.env.LONG_TESTS);
const ROTATIONS = isLong ? 100 : 6;
/** A rotation every two seconds stands for one every forty: the outside verifier's times are shortened likewise. */
const FASTER = 20;
const WORKERS = isLong ? 8 : 2;
const PAUSE_MS = isLong ? 5 : 150;

test(`[D12] [T20] [X27] ${ROTATIONS} rotations under load over two instances: nobody is refused anything`, async (t) => {
  const harness = await startHarness({
    store: 'redis',
    instances: 2,
    logLevel: 'warn',
    env: { JWKS_CACHE_SECONDS: '0', ACCESS_TOKEN_TTL_SECONDS: '60' },
  });
  t.teardown(harness.close);
  const { url, instances } = harness;
  const audience = `${url}/mcp`;

  // jose as everybody uses it: 10 minutes of cache, and 30 s after a fetch before it fetches again.
  const outside = instances.map((instance) =>
    createRemoteJWKSet(new URL(`${instance}/.well-known/jwks.json`), {
      cacheMaxAge: 600_000 / FASTER,
      cooldownDuration: 30_000 / FASTER,
    }),
  );
  const failures: string[] = [];
  const done = { mcp: 0, token: 0, introspection: 0, outside: 0, flows: 0 };
  const signers = new Set<unknown>();
  let over = false;

  const expect = async (what: keyof typeof done, answer: Promise<boolean | string>) => {
    const good = await answer.catch((error: Error) => `${error.name}: ${error.message}`);
    done[what]++;
    if (good !== true) failures.push(`${what}: ${String(good)}`);
  };
  const status = async (answer: Promise<{ status: number; body: unknown }>) => {
    const { status, body } = await answer;
    return status === 200 || `${status} ${JSON.stringify(body)}`;
  };
  const verified = async (token: string, index: number, aud: string) => {
    const { protectedHeader } = await jwtVerify(token, outside[index]!, {
      issuer: url,
      audience: aud,
    });
    signers.add(protectedHeader.kid);
    return true;
  };
  const usedEverywhere = (token: string) =>
    Promise.all(
      instances.flatMap((instance, i) => [
        expect('mcp', status(callMcp(instance, token, 'tools/list'))),
        expect('outside', verified(token, i, audience)),
      ]),
    );

  /** A client that refreshes, here and there, and uses both its newest token and its oldest that is valid. */
  async function work({ client, tokens }: Connection): Promise<void> {
    let { refresh_token } = tokens;
    let held = [tokens.access_token];
    for (let round = 0; !over; round++) {
      const instance = instances[round % instances.length]!;
      const renewing = refresh(instance, client, refresh_token);
      await expect('token', status(renewing));
      const { body } = await renewing;
      refresh_token = body.refresh_token ?? refresh_token;
      if (body.access_token) held.push(body.access_token);
      held = held.filter((token) => decodeJwt(token).exp! > Date.now() / 1_000 + 3).slice(-200);
      await usedEverywhere(held.at(-1)!);
      await usedEverywhere(held[0]!);
      const question = { ...clientParameters(client), token: held[0]! };
      const answer = postForm(`${instance}/oauth2/introspect`, question);
      const isActive = answer.then(({ body: { active } }) => active === true || 'not active');
      await expect('introspection', isActive);
      await wait(PAUSE_MS);
    }
  }

  /** People who sign in meanwhile: their requests are under way when the engine is exchanged. */
  async function signInAgainAndAgain(): Promise<void> {
    const client = (await register(url)).body;
    while (!over) {
      const parameters = { scope: 'openid neonpanel.read' };
      await expect(
        'flows',
        connect(harness, { client, parameters }).then(async ({ tokens }) => {
          await usedEverywhere(tokens.access_token);
          return verified(tokens.id_token!, 0, client.client_id);
        }),
      );
      await wait(PAUSE_MS * 5);
    }
  }

  const metadata = { token_endpoint_auth_method: 'client_secret_post' };
  const connections = await Promise.all(
    Array.from({ length: WORKERS }, () => connect(harness, { metadata })),
  );
  const started = performance.now();
  const load = Promise.all([...connections.map(work), signInAgainAndAgain()]);
  const most = { keys: 0 };
  try {
    for (let rotations = 0; rotations < ROTATIONS;) {
      const { code, err } = await admin(harness, 'keys', 'rotate', '--yes');
      if (code === 0) rotations++;
      else if (code !== 3) throw new Error(err);
      await wait(100);
      if (code !== 0 || rotations % 10 !== 0) continue;
      const listed = (await admin(harness, 'keys', 'list', '--json')).json<{ keys: [] }>();
      most.keys = Math.max(most.keys, listed.keys.length);
      const pruned = await admin(harness, 'keys', 'prune', '--yes');
      if (pruned.code !== 0) throw new Error(pruned.err);
    }
  } finally {
    over = true;
    await load;
  }
  const seconds = (performance.now() - started) / 1_000;
  t.log(`${Math.round(seconds)} s`, JSON.stringify({ ...done, ...most, signers: signers.size }));
  t.deepEqual([...new Set(failures)].slice(0, 10), []);
  t.is(failures.length, 0);
  t.true(signers.size > ROTATIONS / 2, 'the rotations were seen outside');
  t.true(done.mcp > ROTATIONS * 5);
});
