import test from 'ava';
import { decodeJwt } from 'jose';
import { registerWith, type AuthenticatedClient } from '../client-auth.ts';
import { startHarness } from '../support/harness.ts';
import {
  authorizationRequest,
  callMcp,
  callTool,
  connect,
  postForm,
  signIn,
  type Attempt,
} from '../support/oauth.ts';
import { fixtures } from '../tools/support/fixtures.ts';

/** Whose a code or a token is: bound to its client, to its PKCE verifier and to its scope, for every kind of client. */

const harness = await startHarness({ env: { RATE_LIMIT_FACTOR: '0' } });
const { url, sandbox } = harness;
test.after.always(() => harness.close());

const METHODS = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const;
const TOKEN = `${url}/oauth2/token`;
const BOTH = 'neonpanel.read neonpanel.write';

interface Issued {
  readonly attempt: Attempt;
  readonly code: string;
}

async function codeFor(caller: AuthenticatedClient, scope = BOTH, write = true): Promise<Issued> {
  const attempt = authorizationRequest(url, caller.client, { scope });
  const code = (await signIn(harness, attempt, { write })).searchParams.get('code')!;
  return { attempt, code };
}

const codeForm = ({ attempt, code }: Issued, more: Record<string, string | undefined> = {}) => {
  const all: Record<string, string | undefined> = {
    grant_type: 'authorization_code',
    code,
    redirect_uri: attempt.redirectUri,
    code_verifier: attempt.verifier,
    ...more,
  };
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
};
const refreshForm = (refresh_token: string, more: Record<string, string> = {}) => ({
  grant_type: 'refresh_token',
  refresh_token,
  ...more,
});

async function tokensFor(caller: AuthenticatedClient, scope = BOTH, write = true) {
  const { body } = await caller.post(TOKEN, codeForm(await codeFor(caller, scope, write)));
  return body as Record<'access_token' | 'refresh_token' | 'scope', string>;
}

// -------------------------------------------------------------- bound to its client

for (const owning of METHODS) {
  test.serial(
    `[T14] what a client with ${owning} was issued is worth nothing to a client of any kind, and stays whole`,
    async (t) => {
      const owner = await registerWith(url, owning);
      const issued = await codeFor(owner);
      const { refresh_token, access_token } = await tokensFor(owner);
      for (const stealing of METHODS) {
        const thief = await registerWith(url, stealing);
        for (const form of [
          codeForm(issued),
          codeForm(issued, { redirect_uri: thief.client.redirect_uris[0] }),
          refreshForm(refresh_token),
          refreshForm(refresh_token, { scope: 'neonpanel.read' }),
        ]) {
          const { status, body } = await thief.post(TOKEN, form);
          t.is(status, 400, `${stealing} ${form.grant_type}`);
          t.is(body.error, 'invalid_grant', `${stealing} ${form.grant_type}`);
          t.false('access_token' in body);
        }
        for (const token of [refresh_token, access_token]) {
          t.is((await thief.post(`${url}/oauth2/revoke`, { token })).status, 200, stealing);
          const asked = await thief.post(`${url}/oauth2/introspect`, { token });
          if (stealing !== 'none') t.deepEqual(asked.body, { active: false }, stealing);
        }
      }
      t.is((await owner.post(TOKEN, codeForm(issued))).status, 200, 'the code is still good');
      t.is((await callMcp(url, access_token, 'tools/list')).status, 200, 'and the access token');
      t.is((await owner.post(TOKEN, refreshForm(refresh_token))).status, 200, 'and this');
    },
  );
}

for (const owning of METHODS.filter((method) => method !== 'none')) {
  test.serial(`[T14] nobody is a client with ${owning} by naming it`, async (t) => {
    const owner = await registerWith(url, owning);
    const { client_id, client_secret } = owner.client;
    const issued = await codeFor(owner);
    const { refresh_token } = await tokensFor(owner);
    const stranger = (await registerWith(url, 'client_secret_post')).client;
    const claims: Record<string, string>[] = [
      { client_id, client_secret: 'wrong' },
      { client_id, client_secret: stranger.client_secret! },
      { client_id, client_secret: (client_secret ?? 'x').toUpperCase() },
      { client_id, client_secret: '' },
      { client_id },
    ];
    for (const claim of claims) {
      for (const form of [codeForm(issued), refreshForm(refresh_token)]) {
        const { status, body } = await postForm<any>(TOKEN, { ...form, ...claim });
        t.true([400, 401].includes(status), JSON.stringify(Object.keys(claim)));
        t.regex(body.error, /^invalid_(client|request)$/);
      }
    }
    t.is((await owner.post(TOKEN, codeForm(issued))).status, 200);
    t.is((await owner.post(TOKEN, refreshForm(refresh_token))).status, 200);
  });
}

// ------------------------------------------------------------------ bound by PKCE

for (const method of METHODS) {
  test.serial(
    `[T15] a code of a client with ${method} is worth nothing without the very verifier, and is not spent by trying`,
    async (t) => {
      const caller = await registerWith(url, method);
      const issued = await codeFor(caller);
      const other = await codeFor(caller);
      const { verifier, url: asked } = issued.attempt;
      const challenge = asked.searchParams.get('code_challenge')!;
      const verifiers: (string | undefined)[] = [
        undefined,
        '',
        ' ',
        'x',
        'a'.repeat(42),
        'a'.repeat(43),
        'a'.repeat(128),
        'a'.repeat(129),
        challenge,
        other.attempt.verifier,
        verifier.slice(1),
        `${verifier}=`,
        `${verifier} `,
        `${verifier}\n`,
        verifier.toUpperCase(),
        verifier.split('').reverse().join(''),
        `${verifier.slice(0, -1)}ü`,
        encodeURIComponent(`${verifier}%`),
        'null',
      ];
      for (const code_verifier of verifiers) {
        const form = codeForm(issued, { code_verifier });
        const { status, body } = await caller.post(TOKEN, form);
        t.is(status, 400, JSON.stringify(code_verifier));
        t.is(body.error, 'invalid_grant', JSON.stringify(code_verifier));
      }
      // The verifier by other names, or the challenge at the token endpoint, is no way round it.
      for (const form of [
        codeForm(issued, { code_verifier: undefined, code_challenge: challenge }),
        codeForm(issued, { code_verifier: undefined, verifier, codeVerifier: verifier }),
        codeForm(issued, { code_verifier: challenge, code_challenge_method: 'plain' }),
      ])
        t.is((await caller.post(TOKEN, form)).body.error, 'invalid_grant');
      t.is((await caller.post(TOKEN, codeForm(issued))).status, 200);
      t.is((await caller.post(TOKEN, codeForm(other))).status, 200);
    },
  );
}

// ----------------------------------------------------------------- bound to its scope

test.serial(
  '[T35] no way of asking gives more than was granted, and none costs anything',
  async (t) => {
    for (const method of METHODS) {
      const caller = await registerWith(url, method);
      const issued = await codeFor(caller, BOTH, false);
      // The scope of a code was decided by the user; what is sent along means nothing.
      const { body: first } = await caller.post(TOKEN, codeForm(issued, { scope: BOTH }));
      t.is(first.scope, 'neonpanel.read', method);
      let refresh_token = first.refresh_token as string;
      for (const scope of [
        'neonpanel.write',
        BOTH,
        'neonpanel.read neonpanel.write offline_access',
        'openid',
        'neonpanel.read openid',
      ]) {
        const refused = await caller.post(TOKEN, refreshForm(refresh_token, { scope }));
        t.is(refused.status, 400, scope);
        t.is(refused.body.error, 'invalid_scope', scope);
      }
      for (const scope of [
        'neonpanel.read',
        'neonpanel.read unknown',
        'NEONPANEL.WRITE',
        'neonpanel.mcp',
        'neonpanel.read offline_access',
        '',
      ]) {
        const { status, body } = await caller.post(TOKEN, refreshForm(refresh_token, { scope }));
        t.is(status, 200, scope);
        t.is(body.scope, 'neonpanel.read', scope);
        t.is(decodeJwt(body.access_token).scope, 'neonpanel.read', scope);
        refresh_token = body.refresh_token;
      }
    }
  },
);

test.serial(
  '[T35] with a token for reading every writing tool is 403 with the scopes it needs, every reading one is served, and NeonPanel is sent no write',
  async (t) => {
    const full = await connect(harness);
    const reader = await connect(harness, { write: false });
    const narrowed = await postForm<any>(TOKEN, {
      ...refreshForm(full.tokens.refresh_token, { scope: 'neonpanel.read' }),
      client_id: full.client.client_id,
    });
    const writing = new Set(['createDocuments', 'createDocumentsByPdf']);
    sandbox.recorder.clear();
    t.true(fixtures.length >= 14);
    for (const token of [reader.tokens.access_token, narrowed.body.access_token]) {
      for (const { tool, args } of fixtures) {
        const { status, headers } = await callTool(url, token, tool, args);
        t.is(status, writing.has(tool) ? 403 : 200, tool);
        if (status !== 403) continue;
        const challenge = headers.get('www-authenticate')!;
        t.regex(challenge, /^Bearer error="insufficient_scope"/);
        t.regex(challenge, /scope="neonpanel\.read neonpanel\.write"/);
      }
      // Hidden in a batch, or under another spelling of the address.
      const call = (tool: string) => ({
        jsonrpc: '2.0',
        id: tool,
        method: 'tools/call',
        params: { name: tool, arguments: fixtures.find((one) => one.tool === tool)!.args },
      });
      for (const path of ['/mcp', '/mcp/', '/']) {
        const answer = await fetch(url + path, {
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            authorization: `Bearer ${token}`,
            'mcp-protocol-version': '2025-03-26',
          },
          body: JSON.stringify([call('listCompanies'), call('createDocuments')]),
        });
        t.is(answer.status, 403, path);
      }
    }
    const writes = sandbox.recorder
      .requests()
      .filter(({ method, path }) => method !== 'GET' && !path.startsWith('/oauth2'));
    t.deepEqual(writes, []);
    const allowed = await callTool(url, full.tokens.access_token, 'createDocuments', {
      companyUuid: '201',
      type: 'bill',
      data: [{}],
    });
    t.is(allowed.status, 200, 'the same call with the scope');
  },
);

// -------------------------------------------------------------------------- DPoP is off

test.serial(
  '[T69] DPoP is neither offered nor taken: proofs change nothing, and its scheme is nobody’s',
  async (t) => {
    for (const name of ['oauth-authorization-server', 'oauth-protected-resource']) {
      const text = await (await fetch(`${url}/.well-known/${name}`)).text();
      t.notRegex(text, /dpop/i);
    }
    const caller = await registerWith(url, 'none');
    const proofs = ['', 'x', 'a.b.c', 'x'.repeat(5_000), encodeURIComponent('ü')];
    for (const dpop of proofs) {
      const issued = await codeFor(caller);
      const form = { ...codeForm(issued), client_id: caller.client.client_id };
      const { status, body, headers } = await postForm<any>(TOKEN, form, { dpop });
      t.is(status, 200, dpop.slice(0, 10));
      t.is(body.token_type, 'Bearer');
      t.false('cnf' in decodeJwt(body.access_token));
      t.is(headers.get('dpop-nonce'), null);
      const used = { authorization: `DPoP ${body.access_token}`, dpop };
      const answer = await callMcp(url, undefined, 'tools/list', {}, { headers: used });
      t.is(answer.status, 401);
      t.notRegex(answer.headers.get('www-authenticate')!, /dpop/i);
      const bearer = await callMcp(url, body.access_token, 'tools/list', {}, { headers: { dpop } });
      t.is(bearer.status, 200);
    }
  },
);
