import test from 'ava';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import * as oauth from 'oauth4webapi';
import { callback, login, start } from './_setup.ts';

const insecure = { [oauth.allowInsecureRequests]: true };

test('a strict OAuth client gets through: discovery, registration, login, code, API, refresh', async (t) => {
  const sandbox = await start(t);
  const issuer = new URL(sandbox.url);
  const discovery = await oauth.discoveryRequest(issuer, { ...insecure, algorithm: 'oauth2' });
  const as = await oauth.processDiscoveryResponse(issuer, discovery);

  const metadata = {
    redirect_uris: [callback],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
  };
  const registration = await oauth.dynamicClientRegistrationRequest(as, metadata, insecure);
  const client = await oauth.processDynamicClientRegistrationResponse(registration);

  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const url = new URL(as.authorization_endpoint!);
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: client.client_id,
    redirect_uri: callback,
    scope: 'openid',
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  }).toString();
  const back = (await login(sandbox, url.href)).headers.get('Location');
  const parameters = oauth.validateAuthResponse(as, client, new URL(back!), state);

  const auth = oauth.None();
  const exchange = await oauth.authorizationCodeGrantRequest(
    as,
    client,
    auth,
    parameters,
    callback,
    verifier,
    insecure,
  );
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, exchange);
  const keys = createRemoteJWKSet(new URL(as.jwks_uri!));
  const { payload } = await jwtVerify(tokens.access_token, keys, {
    issuer: as.issuer,
    algorithms: ['RS256'],
  });
  t.is(payload.sub, '1001');

  const api = new URL('/api/v1/companies?page=1&per_page=10', issuer);
  const companies = await oauth.protectedResourceRequest(
    tokens.access_token,
    'GET',
    api,
    undefined,
    undefined,
    insecure,
  );
  t.is(((await companies.json()) as any).data.length, 3);

  const renewal = await oauth.refreshTokenGrantRequest(
    as,
    client,
    auth,
    tokens.refresh_token!,
    insecure,
  );
  const renewed = await oauth.processRefreshTokenResponse(as, client, renewal);
  t.not(renewed.refresh_token, tokens.refresh_token);

  const replay = await oauth.refreshTokenGrantRequest(
    as,
    client,
    auth,
    tokens.refresh_token!,
    insecure,
  );
  const error = await t.throwsAsync(oauth.processRefreshTokenResponse(as, client, replay), {
    instanceOf: oauth.ResponseBodyError,
  });
  t.is(error?.error, 'invalid_grant');
});

test('a strict client with a key of its own authenticates by private_key_jwt', async (t) => {
  const sandbox = await start(t);
  const issuer = new URL(sandbox.url);
  const discovery = await oauth.discoveryRequest(issuer, { ...insecure, algorithm: 'oauth2' });
  const as = await oauth.processDiscoveryResponse(issuer, discovery);
  const register = async () => {
    const pair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, [
      'sign',
      'verify',
    ]);
    const jwk = await crypto.subtle.exportKey('jwk', pair.publicKey);
    const metadata = {
      redirect_uris: [callback],
      grant_types: ['client_credentials'],
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [{ ...jwk, kid: 'k1' }] } as any,
    };
    const response = await oauth.dynamicClientRegistrationRequest(as, metadata, insecure);
    const client = await oauth.processDynamicClientRegistrationResponse(response);
    return { client, key: { key: pair.privateKey, kid: 'k1' } };
  };
  const [own, other] = [await register(), await register()];
  const ask = async (key: typeof own.key) => {
    const auth = oauth.PrivateKeyJwt(key);
    return oauth.clientCredentialsGrantRequest(as, own.client, auth, {}, insecure);
  };
  const granted = await oauth.processClientCredentialsResponse(as, own.client, await ask(own.key));
  t.is(granted.token_type, 'bearer');
  t.is((await ask(other.key)).status, 401);
});
