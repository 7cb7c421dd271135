import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import type { Context } from 'koa';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { createRateLimits } from '../../adapters/rate-limits.ts';
import { createFailureLimit } from '../../auth/failure-limit.ts';
import { createClients } from '../../adapters/clients.ts';
import { createGrantEnding } from '../../adapters/grant-ending.ts';
import { createGrants } from '../../adapters/grants.ts';
import { createVault } from '../../adapters/vault.ts';
import { createOidcModels } from '../../adapters/oidc-models.ts';
import { createSecrets, type Secrets } from '../../adapters/secrets.ts';
import type { Store } from '../../adapters/store.ts';
import { authorizationCode } from '../../auth/grants/authorization-code.ts';
import { refreshToken } from '../../auth/grants/refresh-token.ts';
import { mintRefreshToken } from '../../auth/refresh-token.ts';
import { revoke } from '../../auth/revocation.ts';
import type { Config } from '../../config.ts';
import { createLog } from '../../log.ts';
import type { Clock } from '../support/clock.ts';
import type { Harness } from '../support/harness.ts';
import { createMapStore } from '../support/map-store.ts';
import {
  type Attempt,
  authorizationRequest,
  clientParameters,
  postForm,
  redeem,
  refresh,
  signIn,
  type TestClient,
} from '../support/oauth.ts';
import type { CodeRequest, Driver, Lifetimes, Outcome, RefreshRequest } from './grant-model.ts';

const ISSUER = 'http://localhost:3000';
const FOREIGN = 'https://other.example/mcp';
const REDIRECT_URI = 'https://client.example/callback';
const SCOPES = { less: 'neonpanel.read', more: 'neonpanel.read neonpanel.write' } as const;
const secrets: Secrets = createSecrets([new Uint8Array(32).fill(7)]);
const log = createLog('silent');
const sha256 = (text: string) => createHash('sha256').update(text).digest('base64url');

/** What a request asks for beside its token or code. */
const extras = (request: Pick<CodeRequest, 'resource'> & { scope?: RefreshRequest['scope'] }) => ({
  ...(request.resource === 'foreign' && { resource: FOREIGN }),
  ...(request.scope && request.scope !== 'as granted' && { scope: SCOPES[request.scope] }),
});

/**
 * The token endpoint's own functions over a store in memory: client authentication and the signing of tokens, which take
 * nearly all the time of a request and decide nothing here, are left out.
 */
export function handlersDriver(
  clock: Clock,
  lifetimes: Lifetimes,
  change: (store: Store) => Store = (store) => store,
): Driver {
  const { now } = clock;
  const map = createMapStore({ now });
  const store = change(map);
  const grants = createGrants(store);
  // Apart: histories are judged by what they leave of grants.
  const clients = createClients({ store: createMapStore({ now }), secrets, now });
  const config = {
    accessTokenTtlSeconds: 3_600,
    refreshTokenTtlSeconds: lifetimes.familyMs / 1000,
    refreshGraceSeconds: lifetimes.graceMs / 1000,
  } as Config;
  const ending = createGrantEnding({
    grants,
    vault: createVault({ store, secrets }),
    connections: { ended: async () => {} },
    login: { revoke: async () => false },
    log,
  });
  const limits = createRateLimits({ factor: 0, now });
  const connections = { opened() {}, renewed() {} };
  const options = { config, store, grants, ending, connections, clients, secrets, limits, now };
  const codes = createOidcModels(store, clients)('AuthorizationCode');
  const handlers = { code: authorizationCode(options), refresh: refreshToken(options) };
  const verifier = 'v'.repeat(43);
  let families = 0;

  async function ask(
    handler: (ctx: KoaContextWithOIDC) => Promise<void>,
    client: number,
    params: Record<string, unknown>,
  ): Promise<Outcome> {
    const ctx = {
      state: { log, started: 0 },
      oidc: { params, client: clientOf(client), provider: engine, entity() {} },
    };
    try {
      await handler(ctx as never);
    } catch (error) {
      const { message, error_description: described } = error as Record<string, string>;
      if (described === undefined) throw error;
      return message!;
    }
    const { refresh_token, scope } = (ctx as unknown as { body: Record<string, string> }).body;
    return { refreshToken: refresh_token!, scope: scope! };
  }

  return {
    ...clock,
    advance: (ms) => void clock.advance(ms),
    stored: () => map.contents(),
    mint: (grantId, generation) => mintRefreshToken(secrets, { grantId, generation }),
    async consent(client, write) {
      const clientId = `client-${client}`;
      if (!(await clients.find(clientId))) await clients.put(clientId, { client_id: clientId });
      const grantId = `grant-of-family-${families++}`;
      const code = `${grantId}.${'c'.repeat(43)}`;
      const payload = {
        jti: code,
        grantId,
        clientId,
        accountId: '1001',
        redirectUri: REDIRECT_URI,
        codeChallenge: sha256(verifier),
        scope: write ? SCOPES.more : SCOPES.less,
      };
      await codes.upsert(code, payload as never, lifetimes.codeMs / 1000);
      return { grantId, code };
    },
    redeem: (request) =>
      ask(handlers.code, request.client, {
        grant_type: 'authorization_code',
        code: request.code,
        redirect_uri: request.redirectUri === 'right' ? REDIRECT_URI : `${REDIRECT_URI}/`,
        code_verifier: { right: verifier, wrong: 'w'.repeat(43), missing: undefined }[
          request.verifier
        ],
        ...extras(request),
      }),
    refresh: (request) =>
      ask(handlers.refresh, request.client, {
        grant_type: 'refresh_token',
        refresh_token: request.token,
        ...extras(request),
      }),
    async revoke(client, token) {
      const body = Readable.from([Buffer.from(new URLSearchParams({ token }).toString())]);
      const ctx = {
        req: Object.assign(body, { headers: {} }),
        is: () => true,
        status: 200,
        ips: ['192.0.2.1'],
        state: { log },
        oidc: { client: clientOf(client) },
      };
      const lookup = { grants, ending, secrets, publicUrl: ISSUER, refreshTokenTtlSeconds: 1, now };
      const mayFail = createFailureLimit(limits.oauth);
      const keys = { accessTokens: { verify: () => undefined }, freshenKeys: async () => false };
      await revoke(ctx as unknown as Context, async () => {}, {
        ...lookup,
        ...keys,
        limits,
        mayFail,
      });
    },
  };
}

const clientOf = (client: number) => ({
  clientId: `client-${client}`,
  grantTypeAllowed: () => true,
});

const engine = {
  issuer: ISSUER,
  ResourceServer: class {},
  AccessToken: class {
    expiration = 3_600;
    save = async () => 'signed';
  },
};

/** A whole server over HTTP. `stored` is left out: what is there shows in what is answered. */
export function httpDriver(
  harness: Harness,
  clock: Clock,
  clients: readonly TestClient[],
  masterSecrets: Secrets,
): Driver {
  const { url } = harness;
  const attempts = new Map<string, Attempt>();
  const wrong = { client_secret: randomBytes(8).toString('hex') };
  const outcomeOf = ({ status, body }: { status: number; body: unknown }): Outcome => {
    const { refresh_token, scope, error } = body as Record<string, string>;
    return status === 200 ? { refreshToken: refresh_token!, scope: scope! } : error!;
  };
  return {
    ...clock,
    advance: (ms) => void clock.advance(ms),
    mint: (grantId, generation) => mintRefreshToken(masterSecrets, { grantId, generation }),
    async consent(client, write) {
      const attempt = authorizationRequest(url, clients[client]!);
      const code = (await signIn(harness, attempt, { write })).searchParams.get('code')!;
      attempts.set(code, attempt);
      return { grantId: code.split('.')[0]!, code };
    },
    async redeem(request) {
      const attempt = attempts.get(request.code)!;
      const { verifier, redirectUri } = attempt;
      const code_verifier = { right: verifier, wrong: 'w'.repeat(43), missing: undefined }[
        request.verifier
      ];
      return outcomeOf(
        await redeem(url, attempt, request.code, {
          ...clientParameters(clients[request.client]!),
          ...(request.secret === 'wrong' && wrong),
          redirect_uri: request.redirectUri === 'right' ? redirectUri : `${redirectUri}/`,
          code_verifier,
          ...extras(request),
        }),
      );
    },
    async refresh(request) {
      const client = clients[request.client]!;
      const more = { ...(request.secret === 'wrong' && wrong), ...extras(request) };
      return outcomeOf(await refresh(url, client, request.token, more));
    },
    async revoke(client, token) {
      const form = { token, ...clientParameters(clients[client]!) };
      const { status } = await postForm(`${url}/oauth2/revoke`, form);
      if (status !== 200) throw new Error(`revocation: ${status}`);
    },
  };
}
