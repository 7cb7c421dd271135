import { type Harness, startHarness } from './support/harness.ts';
import {
  type Attempt,
  authorizationRequest,
  callMcp,
  connect,
  redeem,
  refresh,
  register,
  signIn,
} from './support/oauth.ts';
import { createStoreTest } from './support/stores.ts';

/** What a code is good for. That it is good only once, however many come with it: exactly-once/codes.test.ts. */
const storeTest = await createStoreTest((store) => startHarness({ store, instances: 2 }));

/** A fresh, unredeemed code. */
async function newCode(
  harness: Harness,
  metadata: Record<string, unknown> = {},
): Promise<[Attempt, string]> {
  const client = (await register(harness.url, metadata)).body;
  const attempt = authorizationRequest(harness.url, client);
  const callback = await signIn(harness, attempt);
  return [attempt, callback.searchParams.get('code')!];
}

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const errorOf = (answer: { body: unknown }) => (answer.body as { error?: string }).error;

storeTest('[T4] [D9] a replay two seconds later ends the whole family', async (t, harness) => {
  const { url, instances } = harness;
  const { attempt, code, client, tokens } = await connect(harness);
  t.is(errorOf(await redeem(instances[1]!, attempt, code)), 'invalid_grant');
  t.is(
    (await callMcp(url, tokens.access_token, 'tools/list')).status,
    200,
    'at once: nothing revoked',
  );
  await pause(2_100);
  t.is(errorOf(await redeem(instances[1]!, attempt, code)), 'invalid_grant');
  t.is(errorOf(await refresh(url, client, tokens.refresh_token)), 'invalid_grant');
  await pause(900);
  t.is((await callMcp(url, tokens.access_token, 'tools/list')).status, 401);
});

storeTest('[T4] a replay is recognised after the code has expired', async (t, _, store) => {
  const shortLived = await startHarness({ store, env: { CODE_TTL_SECONDS: '1' } });
  t.teardown(() => shortLived.close());
  const { attempt, code, client, tokens } = await connect(shortLived);
  await pause(2_500);
  t.is(errorOf(await redeem(shortLived.url, attempt, code)), 'invalid_grant');
  t.is(errorOf(await refresh(shortLived.url, client, tokens.refresh_token)), 'invalid_grant');
});

storeTest('[N18] an expired code is refused', async (t, _, store) => {
  const shortLived = await startHarness({ store, env: { CODE_TTL_SECONDS: '1' } });
  t.teardown(() => shortLived.close());
  const client = (await register(shortLived.url)).body;
  const attempt = authorizationRequest(shortLived.url, client);
  const code = (await signIn(shortLived, attempt)).searchParams.get('code')!;
  await pause(1_100);
  t.is(errorOf(await redeem(shortLived.url, attempt, code)), 'invalid_grant');
  const [line] = shortLived.logs.find({ event: 'token', outcome: 'refused' });
  t.regex(String(line?.cause), /expired/);
});

storeTest(
  '[T15] a wrong or missing verifier is refused, and the code stays good for the right one',
  async (t, harness) => {
    const { url } = harness;
    const [attempt, code] = await newCode(harness);
    const wrong = 'a'.repeat(43);
    t.is(errorOf(await redeem(url, attempt, code, { code_verifier: wrong })), 'invalid_grant');
    t.is(errorOf(await redeem(url, attempt, code, { code_verifier: 'short' })), 'invalid_grant');
    t.is(errorOf(await redeem(url, attempt, code, { code_verifier: undefined })), 'invalid_grant');
    t.is((await redeem(url, attempt, code)).status, 200);
  },
);

storeTest('[N18] another redirect_uri is refused, and the code stays good', async (t, harness) => {
  const { url } = harness;
  const [attempt, code] = await newCode(harness);
  const other = { redirect_uri: 'https://client.example/callback/' };
  t.is(errorOf(await redeem(url, attempt, code, other)), 'invalid_grant');
  t.is(errorOf(await redeem(url, attempt, code, { redirect_uri: undefined })), 'invalid_request');
  t.is((await redeem(url, attempt, code)).status, 200);
});

storeTest(
  '[T14] another client can neither redeem a code nor spoil it, before or after its redemption',
  async (t, harness) => {
    const { url } = harness;
    const [attempt, code] = await newCode(harness);
    const thief = (await register(url)).body;
    const stolen = { client_id: thief.client_id };
    t.is(errorOf(await redeem(url, attempt, code, stolen)), 'invalid_grant');
    const { body: tokens } = await redeem(url, attempt, code);
    await pause(2_100);
    t.is(errorOf(await redeem(url, attempt, code, stolen)), 'invalid_grant');
    t.is((await refresh(url, attempt.client, tokens.refresh_token)).status, 200);
  },
);

storeTest('[F9] a foreign resource is refused without spending the code', async (t, harness) => {
  const { url } = harness;
  const [attempt, code] = await newCode(harness);
  const foreign = { resource: 'https://other.example/mcp' };
  t.is(errorOf(await redeem(url, attempt, code, foreign)), 'invalid_target');
  t.is((await redeem(url, attempt, code, { resource: `${url}/` })).status, 200);
});

storeTest('[T14] a confidential client must authenticate', async (t, harness) => {
  const { url } = harness;
  const [attempt, code] = await newCode(harness, {
    token_endpoint_auth_method: 'client_secret_post',
  });
  const wrong = await redeem(url, attempt, code, { client_secret: 'wrong' });
  t.is(wrong.status, 401);
  t.is(errorOf(wrong), 'invalid_client');
  t.is((await redeem(url, attempt, code, { client_secret: undefined })).status, 401);
  t.is((await redeem(url, attempt, code)).status, 200);
});

storeTest('a made-up code is refused, whatever it looks like', async (t, harness) => {
  const { url } = harness;
  const [attempt, code] = await newCode(harness);
  const [grantId] = code.split('.');
  for (const made of [
    'x',
    `${grantId}.${'a'.repeat(43)}`,
    `${grantId}`,
    `${code}x`,
    'a'.repeat(5_000),
    '../..',
    'ä.ö',
  ]) {
    t.is(errorOf(await redeem(url, attempt, made)), 'invalid_grant', made.slice(0, 60));
  }
  t.is((await redeem(url, attempt, code)).status, 200);
});

storeTest(
  '[D18] every refusal of a code leaves its distinct cause in the log, and only there',
  async (t, harness) => {
    const { url } = harness;
    const [attempt, code] = await newCode(harness);
    const answer = await redeem(url, attempt, code, { code_verifier: 'b'.repeat(43) });
    const body = answer.body as unknown as { request_id: string; error_description: string };
    t.notRegex(body.error_description, /PKCE/i);
    const line = harness.logs.only({
      event: 'token',
      outcome: 'refused',
      request_id: body.request_id,
    });
    t.like(line, { grant_type: 'authorization_code', client_id: attempt.client.client_id });
    t.regex(String(line.cause), /PKCE/);
    t.false(harness.logs.text().includes(code));
  },
);
