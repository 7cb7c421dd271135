import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DocumentHost, startDocumentHost } from '../cimd/host.ts';
import { admin, type AdminRun, createTerminal, runIn } from '../support/admin.ts';
import { endsEverywhere } from '../support/ends.ts';
import { type Harness, startHarness } from '../support/harness.ts';
import {
  authorizationRequest,
  callTool,
  connect,
  postForm,
  postJson,
  redeem,
  refresh,
  register,
  token,
} from '../support/oauth.ts';
import { recordsOf } from '../support/records.ts';
import { createStoreTest } from '../support/stores.ts';

/**
 * Service accounts (D15), from outside: made by a command beside running instances, used over HTTP. On Redis there are two
 * instances.
 */
let shift = 0;
const storeTest = await createStoreTest(async (store) => {
  const now = () => Date.now() + shift;
  const host = await startDocumentHost();
  const instances = store === 'redis' ? 2 : 1;
  const env = { CIMD_TEST_ORIGIN: host.origin };
  const harness = await startHarness({ store, instances, now, env });
  const dir = mkdtempSync(join(tmpdir(), 'neonpanel-mcp-services-'));
  return {
    ...harness,
    host,
    file(content: unknown): string {
      const path = join(dir, `${randomUUID()}.json`);
      writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
      return path;
    },
    async close() {
      rmSync(dir, { recursive: true });
      await Promise.all([harness.close(), host.close()]);
    },
  };
});
type World = Harness & { host: DocumentHost; file(content: unknown): string };

interface NeonpanelService {
  readonly client_id: string;
  readonly client_secret: string;
  readonly registration_client_uri: string;
  readonly registration_access_token: string;
}

/** A service client at NeonPanel, acting for Ada, who sees three companies, or Bruno, who sees one. */
async function atNeonpanel({ sandbox }: World, email = 'ada@harborpine.example') {
  const { status, body } = await postJson<NeonpanelService>(`${sandbox.url}/oauth2/register`, {
    client_name: 'Service',
    redirect_uris: ['https://service.example/unused'],
    grant_types: ['client_credentials'],
    token_endpoint_auth_method: 'client_secret_post',
    contacts: [email],
  });
  if (status !== 201) throw new Error(JSON.stringify(body));
  return body;
}

interface Service {
  readonly client_id: string;
  readonly client_secret: string;
}

function serviceOf(run: AdminRun): Service {
  const { clientId, clientSecret } = run.json<{ clientId: string; clientSecret: string }>();
  return { client_id: clientId, client_secret: clientSecret };
}

async function createService(world: World, ...options: string[]): Promise<Service> {
  const { client_id, client_secret } = await atNeonpanel(world);
  const file = world.file({ client_id, client_secret });
  const args = ['--service', '--name', 'Nightly report', '--neonpanel-credentials', file];
  const method = options.includes('--auth-method') ? [] : ['--auth-method', 'client_secret_post'];
  const made = await admin(
    world,
    'clients',
    'create',
    ...args,
    ...method,
    ...options,
    '--yes',
    '--json',
  );
  if (made.code !== 0) throw new Error(made.err + made.out);
  return serviceOf(made);
}

const tokenOf = (
  base: string,
  { client_id, client_secret }: Service,
  more: Record<string, string> = {},
) => token(base, { grant_type: 'client_credentials', client_id, client_secret, ...more });

const claimsOf = (jwt: string) =>
  JSON.parse(Buffer.from(jwt.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>;

async function companies(base: string, accessToken: string): Promise<number | undefined> {
  const { body } = await callTool(base, accessToken, 'listCompanies');
  return body.result?.structuredContent?.data.length;
}

storeTest(
  '[D15] a service client gets tokens of its own and calls with its own NeonPanel credential',
  async (t, world) => {
    const service = await createService(world);
    const { status, headers, body } = await tokenOf(world.url, service);
    t.is(status, 200, JSON.stringify(body));
    t.is(headers.get('cache-control'), 'no-store');
    t.deepEqual(Object.keys(body).toSorted(), [
      'access_token',
      'expires_in',
      'scope',
      'token_type',
    ]);
    t.like(body, { token_type: 'Bearer', expires_in: 3_600, scope: 'neonpanel.read' });
    t.like(claimsOf(body.access_token), {
      sub: `service:${service.client_id}`,
      client_id: service.client_id,
      scope: 'neonpanel.read',
      aud: `${world.url}/mcp`,
    });
    for (const instance of world.instances) t.is(await companies(instance, body.access_token), 3);
    for (const event of ['token', 'tool.call']) {
      const subject = `service:${service.client_id}`;
      await world.logs.waitFor({
        event,
        outcome: 'success',
        client_id: service.client_id,
        subject,
      });
    }
    const writing = await callTool(world.url, body.access_token, 'createDocuments', {});
    t.is(writing.status, 403, 'no more than the operator gave');
  },
);

storeTest(
  '[D15] scope and resource are those of the operator and of this server, or the request is refused',
  async (t, world) => {
    const reader = await createService(world);
    t.is((await tokenOf(world.url, reader, { scope: 'neonpanel.write' })).status, 400);
    const foreign = await tokenOf(world.url, reader, { resource: 'https://other.example/mcp' });
    t.is((foreign.body as unknown as { error: string }).error, 'invalid_target');
    t.is((await tokenOf(world.url, reader, { resource: `${world.url}/mcp` })).status, 200);

    const writer = await createService(world, '--scope', 'neonpanel.write');
    const all = await tokenOf(world.url, writer);
    t.is(all.body.scope, 'neonpanel.read neonpanel.write');
    const less = await tokenOf(world.url, writer, { scope: 'neonpanel.read' });
    t.is(less.body.scope, 'neonpanel.read');
  },
);

storeTest(
  '[T73] [D15] [T25] nobody but a service client gets client_credentials, however it is registered',
  async (t, world) => {
    for (const grant_types of [
      ['client_credentials'],
      ['authorization_code', 'client_credentials'],
    ]) {
      const { status, body: client } = await register(world.url, {
        grant_types,
        response_types: [],
        token_endpoint_auth_method: 'client_secret_post',
      });
      t.is(status, 201);
      t.false((client.grant_types as string[]).includes('client_credentials'));
      const answer = await tokenOf(world.url, client as unknown as Service);
      t.is(answer.status, 400);
      t.is((answer.body as unknown as { error: string }).error, 'unsupported_grant_type');
    }
  },
);

storeTest(
  '[T73] [D15] a client with a document that names client_credentials does not get it',
  async (t, world) => {
    const { host } = world;
    const clientId = `${host.origin}/service`;
    const redirect_uris = ['https://client.example/callback'];
    host.serve('/service', {
      client_id: clientId,
      client_name: 'Service',
      redirect_uris,
      grant_types: ['client_credentials', 'authorization_code'],
    });
    const client = { client_id: clientId, redirect_uris, token_endpoint_auth_method: 'none' };
    const { tokens } = await connect(world, { client });
    t.truthy(tokens.access_token);
    const form = { grant_type: 'client_credentials', client_id: clientId };
    const answer = await postForm(`${world.url}/oauth2/token`, form);
    t.is(answer.body.error, 'unsupported_grant_type');
  },
);

storeTest(
  '[T73] [D15] a service client can use no other grant, and nobody can sign in through it',
  async (t, world) => {
    const service = await createService(world);
    const client = {
      ...service,
      redirect_uris: ['https://client.example/callback'],
      token_endpoint_auth_method: 'client_secret_post',
    };
    const attempt = authorizationRequest(world.url, client);
    const page = await fetch(attempt.url, { redirect: 'manual' });
    t.is(page.status, 400);
    t.is(page.headers.get('location'), null);
    const user = await connect(world);
    for (const answer of [
      await redeem(world.url, { ...attempt, client }, user.code),
      await refresh(world.url, client, user.tokens.refresh_token),
    ]) {
      t.is(answer.status, 400);
      t.is((answer.body as unknown as { error: string }).error, 'unauthorized_client');
    }
    t.is(
      (await refresh(world.url, user.client, user.tokens.refresh_token)).status,
      200,
      'untouched',
    );
  },
);

storeTest(
  '[T73] [T7] a service client reaches its own data only, also beside a user of the same NeonPanel account',
  async (t, world) => {
    const service = await createService(world);
    const bruno = await connect(world, { user: world.sandbox.users[1]! });
    const { body } = await tokenOf(world.url, service);
    t.is(await companies(world.url, body.access_token), 3);
    t.is(await companies(world.url, bruno.tokens.access_token), 1);
    const records = await recordsOf(world);
    const grant = records.find(({ tag, kind }) => tag === service.client_id && kind === 'grant')!;
    t.is(
      (JSON.parse(grant.value) as { accountId: string }).accountId,
      `service:${service.client_id}`,
    );
  },
);

storeTest(
  '[T36] [D7] [D15] when a service client is revoked, its tokens and its secret are refused everywhere within a second',
  async (t, world) => {
    const service = await createService(world);
    const { body } = await tokenOf(world.url, service);
    for (const instance of world.instances) t.is(await companies(instance, body.access_token), 3);
    const revoked = await admin(world, 'clients', 'revoke', service.client_id, '--yes', '--json');
    t.is(revoked.code, 0, revoked.err);
    t.is(revoked.json().ended, 1);
    t.true(await endsEverywhere(world, body.access_token));
    for (const instance of world.instances) {
      const again = await tokenOf(instance, service);
      t.is(again.status, 401);
    }
    const left = (await recordsOf(world)).filter(({ tag }) => tag === service.client_id);
    t.deepEqual(
      left.map(({ kind }) => kind).filter((kind) => !kind.startsWith('commit:')),
      [],
    );
  },
);

storeTest(
  '[D15] a service client that revokes its token loses the tokens it has and nothing else',
  async (t, world) => {
    const service = await createService(world);
    const first = (await tokenOf(world.url, service)).body.access_token;
    for (const instance of world.instances) t.is(await companies(instance, first), 3);
    const { client_id, client_secret } = service;
    const revocation = { token: first, client_id, client_secret };
    t.is((await postForm(`${world.url}/oauth2/revoke`, revocation)).status, 200);
    const second = (await tokenOf(world.url, service)).body.access_token;
    t.true(await endsEverywhere(world, first));
    t.is(await companies(world.url, second), 3);
    const about = (token: string) =>
      postForm(`${world.url}/oauth2/introspect`, { token, client_id, client_secret });
    t.deepEqual((await about(first)).body, { active: false });
    t.like((await about(second)).body, { active: true, sub: `service:${client_id}` });
  },
);

storeTest(
  '[D15] rotate-secret ends the old secret and what was had with it, and shows the new one once',
  async (t, world) => {
    const service = await createService(world);
    const old = (await tokenOf(world.url, service)).body.access_token;
    for (const instance of world.instances) t.is(await companies(instance, old), 3);
    const rotated = await admin(
      world,
      'clients',
      'rotate-secret',
      service.client_id,
      '--yes',
      '--json',
    );
    t.is(rotated.code, 0, rotated.err);
    const renewed = serviceOf(rotated);
    t.not(renewed.client_secret, service.client_secret);
    for (const instance of world.instances) t.is((await tokenOf(instance, service)).status, 401);
    t.true(await endsEverywhere(world, old));
    const fresh = await tokenOf(world.url, renewed);
    t.is(await companies(world.url, fresh.body.access_token), 3);
    t.false(rotated.err.includes(renewed.client_secret));
    t.false(JSON.stringify(await recordsOf(world)).includes(renewed.client_secret), 'sealed');
  },
);

storeTest(
  '[D15] [D10] its NeonPanel token is renewed with its credential, once over all instances',
  async (t, world) => {
    const { sandbox, instances } = world;
    // Shorter than what is renewed ahead of time: every token is due at once.
    sandbox.faults.set('token-lifetime', { seconds: 20 });
    const service = await createService(world);
    sandbox.faults.clear();
    const { body } = await tokenOf(world.url, service);
    sandbox.recorder.clear();
    const calls = Array.from({ length: 10 }, (_, i) =>
      companies(instances[i % instances.length]!, body.access_token),
    );
    t.deepEqual(await Promise.all(calls), Array(10).fill(3));
    const asked = sandbox.recorder.requests().filter(({ path }) => path === '/oauth2/token');
    t.is(asked.length, 1);
  },
);

storeTest(
  '[D10] [D15] [T38] when NeonPanel refuses the credential the grant ends, and reconnect gives it another',
  async (t, world) => {
    const { sandbox, logs } = world;
    const upstream = await atNeonpanel(world);
    const file = world.file(upstream);
    sandbox.faults.set('token-lifetime', { seconds: 20 });
    const made = await admin(
      world,
      'clients',
      'create',
      '--service',
      '--name',
      'Doomed',
      '--auth-method',
      'client_secret_post',
      '--neonpanel-credentials',
      file,
      '--yes',
      '--json',
    );
    sandbox.faults.clear();
    const service = serviceOf(made);
    const { body } = await tokenOf(world.url, service);
    const removed = await fetch(upstream.registration_client_uri, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${upstream.registration_access_token}` },
    });
    t.is(removed.status, 204);
    const call = await callTool(world.url, body.access_token, 'listCompanies');
    t.is(call.status, 401);
    t.regex(call.headers.get('www-authenticate') ?? '', /invalid_token/);
    await logs.waitFor({
      event: 'grant.ended',
      outcome: 'refused_by_neonpanel',
      grant: service.client_id,
    });
    const again = await tokenOf(world.url, service);
    t.is((again.body as unknown as { error: string }).error, 'invalid_grant');
    const line = await logs.waitFor({
      event: 'token',
      outcome: 'refused',
      client_id: service.client_id,
      error: 'invalid_grant',
    });
    t.regex(String(line.cause), /NeonPanel no longer takes its credential/);

    const shown = await admin(world, 'clients', 'show', service.client_id);
    t.true(shown.out.includes(`not connected: clients reconnect ${service.client_id}`), shown.out);
    const other = world.file(await atNeonpanel(world, 'bruno@quillcopper.example'));
    const back = await admin(
      world,
      'clients',
      'reconnect',
      service.client_id,
      '--neonpanel-credentials',
      other,
      '--yes',
    );
    t.is(back.code, 0, back.err);
    const fresh = await tokenOf(world.url, service);
    t.is(await companies(world.url, fresh.body.access_token), 1);
    t.true(await endsEverywhere(world, body.access_token), 'what was given before stays revoked');
  },
);

storeTest.sqlite(
  '[D15] a service account is not ended for its age, only by name',
  async (t, world) => {
    const service = await createService(world);
    const old = await admin(world, 'grants', 'revoke', '--older-than', '0d', '--dry-run', '--json');
    t.false(old.json().grants.some((grant: any) => grant.subject.startsWith('service:')));
    const named = await admin(world, 'grants', 'revoke', service.client_id, '--yes');
    t.is(named.code, 0, named.err);
    t.is((await tokenOf(world.url, service)).status, 400);
  },
);

storeTest(
  '[D15] the metadata names the grant type only while there is a service client',
  async (t, world) => {
    t.teardown(() => (shift = 0));
    const advertised = async () => {
      const url = `${world.url}/.well-known/oauth-authorization-server`;
      const { grant_types_supported } = (await (await fetch(url)).json()) as any;
      return (grant_types_supported as string[]).includes('client_credentials');
    };
    const until = async (wanted: boolean) => {
      // What is known is believed for ten seconds; the first to ask after that has it looked up.
      shift += 11_000;
      for (let tries = 0; tries < 50; tries++) {
        if ((await advertised()) === wanted) return true;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      return false;
    };
    await createService(world);
    t.true(await until(true));
    const { clients } = (
      await admin(world, 'clients', 'list', '--kind', 'service', '--json')
    ).json();
    for (const { clientId } of clients) await admin(world, 'clients', 'revoke', clientId, '--yes');
    t.true(await until(false));
  },
);

storeTest.sqlite(
  '[D15] the credential is asked for, tried at NeonPanel, sealed, and never printed',
  async (t, world) => {
    const { client_id, client_secret } = await atNeonpanel(world);
    const terminal = createTerminal(world.env, { answers: [client_id, client_secret, true] });
    const made = await runIn(
      terminal,
      'clients',
      'create',
      '--service',
      '--name',
      'Asked',
      '--json',
    );
    t.is(made.code, 0, made.err);
    t.false((made.out + made.err).includes(client_secret));
    t.false(JSON.stringify(await recordsOf(world)).includes(client_secret));
    t.false(made.err.includes(serviceOf(made).client_secret), 'the secret is a result, and no log');
    const basic = `Basic ${Buffer.from(Object.values(serviceOf(made)).join(':')).toString('base64')}`;
    const answer = await postForm(
      `${world.url}/oauth2/token`,
      { grant_type: 'client_credentials' },
      { authorization: basic },
    );
    t.is(answer.status, 200, JSON.stringify(answer.body));
  },
);

for (const [why, content, args, code] of [
  ['NeonPanel does not know it', { client_id: 'nobody', client_secret: 'nothing' }, [], 3],
  ['it lacks its secret', { client_id: 'somebody' }, [], 2],
  ['the file is no JSON', 'client_id=somebody', [], 2],
  [
    'the client would be public',
    { client_id: 'nobody', client_secret: 'x' },
    ['--auth-method', 'none'],
    2,
  ],
  [
    'it has a redirect URI',
    { client_id: 'a', client_secret: 'x' },
    ['--redirect-uri', 'https://a.example/cb'],
    2,
  ],
  ['the scope is none of ours', { client_id: 'a', client_secret: 'x' }, ['--scope', 'admin'], 2],
] as const) {
  storeTest.sqlite(`[D15] no service client is made if ${why}`, async (t, world) => {
    const made = await admin(
      world,
      'clients',
      'create',
      '--service',
      '--name',
      why,
      '--neonpanel-credentials',
      world.file(content),
      ...args,
      '--yes',
    );
    t.is(made.code, code, made.err);
    const { count } = (await admin(world, 'clients', 'list', '--search', why, '--json')).json();
    t.is(count, 0);
  });
}
