import { createHash } from 'node:crypto';
import * as oauth from 'oauth4webapi';
import { type Harness, startHarness } from '../support/harness.ts';
import { type Attempt, callTool, signIn } from '../support/oauth.ts';
import { createStoreTest } from '../support/stores.ts';

/**
 * The whole way with oauth4webapi, a relying party that forgives nothing: every document, parameter and claim is
 * checked as its RFC demands. What it accepts is what a strict client would.
 */
const storeTest = await createStoreTest((store) => startHarness({ store }));

const REDIRECT_URI = 'https://strict.example/callback';
const insecure = { [oauth.allowInsecureRequests]: true } as const;
const nothingExtra: Record<string, string> = {};

/** From nothing but the address that a user typed. */
async function discover(address: string, algorithm: 'oauth2' | 'oidc') {
  const refused = await fetch(address, { method: 'POST', body: '{}' });
  const challenges = refused.headers.get('www-authenticate') ?? '';
  const metadataUrl = /resource_metadata="([^"]+)"/.exec(challenges)?.[1];
  if (refused.status !== 401 || !metadataUrl) throw new Error(`no challenge at ${address}`);

  const resource = new URL(address.replace(/\/$/, ''));
  const response = await oauth.resourceDiscoveryRequest(resource, insecure);
  const asFound = await (await fetch(metadataUrl)).json();
  const metadata = await oauth.processResourceDiscoveryResponse(resource, response);
  const issuer = new URL(metadata.authorization_servers![0]!);
  const server = await oauth
    .discoveryRequest(issuer, { algorithm, ...insecure })
    .then((found) => oauth.processDiscoveryResponse(issuer, found));
  return { metadata, asFound, server };
}

interface Party {
  readonly server: oauth.AuthorizationServer;
  readonly client: oauth.Client;
  readonly auth: oauth.ClientAuth;
}

const METHODS = {
  none: () => oauth.None(),
  client_secret_basic: (secret: string) => oauth.ClientSecretBasic(secret),
  client_secret_post: (secret: string) => oauth.ClientSecretPost(secret),
};
type Method = keyof typeof METHODS;

async function registered(server: oauth.AuthorizationServer, method: Method): Promise<Party> {
  const client = await oauth
    .dynamicClientRegistrationRequest(
      server,
      {
        client_name: 'Strict party',
        redirect_uris: [REDIRECT_URI],
        grant_types: ['authorization_code', 'refresh_token'],
        token_endpoint_auth_method: method,
      },
      insecure,
    )
    .then(oauth.processDynamicClientRegistrationResponse);
  return { server, client, auth: METHODS[method](client.client_secret as string) };
}

/** @returns the callback's checked parameters and what redeems them */
async function authorized(
  harness: Harness,
  { server, client }: Party,
  scope: string,
  resource: string,
  extra = nothingExtra,
) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const authorize = new URL(server.authorization_endpoint!);
  const request = {
    response_type: 'code',
    client_id: client.client_id,
    redirect_uri: REDIRECT_URI,
    scope,
    resource,
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...extra,
  };
  for (const [name, value] of Object.entries(request)) authorize.searchParams.set(name, value);
  const attempt = { url: authorize, redirectUri: REDIRECT_URI } as Attempt;
  const callback = await signIn(harness, attempt);
  // Checks iss (RFC 9207), which the server promises to send, and state.
  return { verifier, parameters: oauth.validateAuthResponse(server, client, callback, state) };
}

async function redeemed(
  { server, client, auth }: Party,
  { verifier, parameters }: Awaited<ReturnType<typeof authorized>>,
  resource: string,
  expectedNonce?: string,
) {
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    auth,
    parameters,
    REDIRECT_URI,
    verifier,
    { additionalParameters: { resource }, ...insecure },
  );
  const checks = expectedNonce ? { expectedNonce, requireIdToken: true } : {};
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, checks);
  if (expectedNonce) await oauth.validateApplicationLevelSignature(server, response, insecure);
  return tokens;
}

/** As a resource server of somebody else's making would check our access token (RFC 9068). */
const validated = (server: oauth.AuthorizationServer, accessToken: string) =>
  oauth.validateJwtAccessToken(
    server,
    new Request(`${server.issuer}/mcp`, { headers: { authorization: `Bearer ${accessToken}` } }),
    `${server.issuer}/mcp`,
    insecure,
  );

for (const path of ['/mcp', '/']) {
  for (const algorithm of ['oauth2', 'oidc'] as const) {
    storeTest(
      `[A2] [A3] [A4] [R1] discovery from the challenge of ${path} by ${algorithm} leads to one issuer`,
      async (t, { url }) => {
        const { metadata, asFound, server } = await discover(url + path, algorithm);
        t.deepEqual(metadata as unknown, asFound, 'challenge and well-known address agree');
        t.is(metadata.resource, url + path.replace(/\/$/, ''));
        t.deepEqual(metadata.authorization_servers, [url]);
        t.is(server.issuer, url);
        t.deepEqual(server.code_challenge_methods_supported, ['S256']);
        t.true(server.authorization_response_iss_parameter_supported);
      },
    );
  }

  for (const method of Object.keys(METHODS) as Method[]) {
    storeTest(
      `[A1] [A8] [A14] [F4] [F15] [N14] ${method} on ${path}: register, sign in, call, refresh, revoke`,
      async (t, harness) => {
        const { url } = harness;
        const { metadata, server } = await discover(url + path, 'oauth2');
        const party = await registered(server, method);
        const { client, auth } = party;
        t.is(client.client_secret === undefined, method === 'none');
        const scope = 'neonpanel.read neonpanel.write';
        const callback = await authorized(harness, party, scope, metadata.resource);
        const tokens = await redeemed(party, callback, metadata.resource);
        t.is(tokens.scope, scope);
        t.is(tokens.id_token, undefined, 'openid was not asked');

        const claims = await validated(server, tokens.access_token);
        t.is(claims.client_id, client.client_id);
        t.is(claims.scope, scope);
        t.is(claims.exp - claims.iat, 3600);
        const called = await callTool(url, tokens.access_token, 'listCompanies');
        t.is(called.body.result.structuredContent.data.length, 3);

        const renewed = await oauth
          .refreshTokenGrantRequest(server, client, auth, tokens.refresh_token!, {
            additionalParameters: { resource: metadata.resource },
            ...insecure,
          })
          .then((response) => oauth.processRefreshTokenResponse(server, client, response));
        t.not(renewed.refresh_token, tokens.refresh_token);
        const again = await validated(server, renewed.access_token);
        t.is(again.sub, claims.sub);
        t.not(again.jti, claims.jti);

        await oauth
          .revocationRequest(server, client, auth, renewed.refresh_token!, insecure)
          .then(oauth.processRevocationResponse);
        const refusal = await t.throwsAsync(
          oauth
            .refreshTokenGrantRequest(server, client, auth, renewed.refresh_token!, insecure)
            .then((response) => oauth.processRefreshTokenResponse(server, client, response)),
          { instanceOf: oauth.ResponseBodyError },
        );
        t.is(refusal?.error, 'invalid_grant');
      },
    );
  }
}

storeTest(
  'openid brings an id_token that holds up: signature, nonce, audience and at_hash',
  async (t, harness) => {
    const { url } = harness;
    const { metadata, server } = await discover(`${url}/mcp`, 'oidc');
    const party = await registered(server, 'none');
    const nonce = oauth.generateRandomNonce();
    const scope = 'openid neonpanel.read';
    const callback = await authorized(harness, party, scope, metadata.resource, { nonce });
    const tokens = await redeemed(party, callback, metadata.resource, nonce);
    const identity = oauth.getValidatedIdTokenClaims(tokens)!;
    const access = await validated(server, tokens.access_token);
    t.is(identity.iss, url);
    t.is(identity.aud, party.client.client_id);
    t.is(identity.sub, access.sub, 'one person, one sub');
    const hash = createHash('sha256').update(tokens.access_token).digest().subarray(0, 16);
    t.is(identity.at_hash, hash.toString('base64url'));
    t.deepEqual(
      Object.keys(identity).filter((claim) => /mail|name|phone|picture/.test(claim)),
      [],
      'sub is all we say about a person',
    );
    t.is(tokens.scope, scope);
  },
);

storeTest(
  'introspection tells a confidential client about its own tokens, and nobody else',
  async (t, harness) => {
    const { url } = harness;
    const { metadata, server } = await discover(`${url}/mcp`, 'oauth2');
    const party = await registered(server, 'client_secret_basic');
    const stranger = await registered(server, 'client_secret_post');
    const callback = await authorized(harness, party, 'neonpanel.read', metadata.resource);
    const tokens = await redeemed(party, callback, metadata.resource);
    const ask = ({ client, auth }: Party, token: string) =>
      oauth
        .introspectionRequest(server, client, auth, token, insecure)
        .then((response) => oauth.processIntrospectionResponse(server, client, response));

    const access = await ask(party, tokens.access_token);
    t.like(access, { active: true, scope: 'neonpanel.read', client_id: party.client.client_id });
    t.is(access.iss, url);
    t.is(access.aud, `${url}/mcp`);
    const refresh = await ask(party, tokens.refresh_token!);
    t.like(refresh, { active: true, client_id: party.client.client_id });
    t.deepEqual(await ask(stranger, tokens.access_token), { active: false });
    t.deepEqual(await ask(stranger, tokens.refresh_token!), { active: false });
    t.deepEqual(await ask(party, 'nonsense'), { active: false });

    await oauth
      .revocationRequest(server, party.client, party.auth, tokens.access_token, insecure)
      .then(oauth.processRevocationResponse);
    t.deepEqual(await ask(party, tokens.access_token), { active: false });
    t.deepEqual(await ask(party, tokens.refresh_token!), { active: false });
  },
);

storeTest(
  '[A8] [T33] a refusal by the user comes back as an error that names the issuer',
  async (t, harness) => {
    const { url } = harness;
    const { metadata, server } = await discover(`${url}/mcp`, 'oauth2');
    const { client } = await registered(server, 'none');
    const state = oauth.generateRandomState();
    const authorize = new URL(server.authorization_endpoint!);
    const request = {
      response_type: 'code',
      client_id: client.client_id,
      redirect_uri: REDIRECT_URI,
      scope: 'neonpanel.read',
      resource: metadata.resource,
      state,
      code_challenge: await oauth.calculatePKCECodeChallenge(oauth.generateRandomCodeVerifier()),
      code_challenge_method: 'S256',
    };
    for (const [name, value] of Object.entries(request)) authorize.searchParams.set(name, value);
    const attempt = { url: authorize, redirectUri: REDIRECT_URI } as Attempt;
    const callback = await signIn(harness, attempt, { decision: 'deny' });
    // Checks iss before anything else.
    const refusal = t.throws(() => oauth.validateAuthResponse(server, client, callback, state), {
      instanceOf: oauth.AuthorizationResponseError,
    });
    t.is(refusal?.error, 'access_denied');
  },
);
