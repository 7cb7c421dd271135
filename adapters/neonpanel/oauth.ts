import { createRemoteJWKSet, customFetch, decodeJwt, type JWTPayload, jwtVerify } from 'jose';
import * as oauth from 'oauth4webapi';
import type { BoundedFetch } from './bounded-fetch.ts';
import {
  type NeonpanelApi,
  type NeonpanelCredential,
  NeonpanelError,
  type NeonpanelErrorKind,
  type NeonpanelLogin,
} from './neonpanel.ts';
import type { NeonpanelClient } from './client.ts';

/**
 * NeonpanelLogin by authorization code and PKCE (RFC 6749 §4.1, RFC 7636). NeonPanel has no userinfo: who signed in is
 * the verified `sub` of its access token.
 */
export interface NeonpanelOauthOptions {
  /** NEONPANEL_URL; an accepted issuer beside the one its metadata names. */
  readonly url: string;
  readonly scope: string;
  /** Our callback. */
  readonly redirectUri: string;
  readonly metadata: () => Promise<oauth.AuthorizationServer>;
  readonly client: () => Promise<NeonpanelClient>;
  readonly api: NeonpanelApi;
  readonly fetch: BoundedFetch;
  readonly now: () => number;
}

/** Used when NeonPanel tells neither `expires_in` nor `exp`. */
const ASSUMED_LIFETIME_MS = 3_600_000;
const CLOCK_TOLERANCE_SECONDS = 15;
/** What NeonPanel calls itself, also behind a proxy. Whose keys are believed is decided by the configured URL alone. */
const NEONPANEL_ISSUER = 'https://my.neonpanel.com';
const API_PROOF_DEADLINE_MS = 10_000;

export function createNeonpanelLogin(options: NeonpanelOauthOptions): NeonpanelLogin {
  const { url, redirectUri, metadata, api, fetch, now } = options;
  let jwks: { uri: string; keys: ReturnType<typeof createRemoteJWKSet> } | undefined;

  return {
    async begin({ state, codeVerifier }) {
      const server = await metadata();
      const { clientId } = await options.client();
      const destination = new URL(server.authorization_endpoint!);
      const challenge = await oauth.calculatePKCECodeChallenge(codeVerifier);
      const parameters = {
        response_type: 'code',
        client_id: clientId,
        redirect_uri: redirectUri,
        scope: options.scope,
        state,
        code_challenge: challenge,
        code_challenge_method: 'S256',
      };
      for (const [name, value] of Object.entries(parameters))
        destination.searchParams.set(name, value);
      return destination;
    },

    async complete({ parameters, state, codeVerifier }) {
      if (!parameters.has('code') && !parameters.has('error')) {
        throw new NeonpanelError('refused', 'NeonPanel sent neither a code nor an error');
      }
      const server = await metadata();
      const [client, authentication] = await ourClient();
      const response = await settle(async () => {
        const answer = oauth.validateAuthResponse(server, client, parameters, state);
        return oauth.processAuthorizationCodeResponse(
          server,
          client,
          await oauth.authorizationCodeGrantRequest(
            server,
            client,
            authentication,
            answer,
            redirectUri,
            codeVerifier,
            requestOptions(),
          ),
        );
      });
      const claims = await verify(response.access_token, server);
      await proveAccess(response.access_token);
      return { subject: claims.sub, credential: credential(response, claims, undefined) };
    },

    async prepare() {
      await metadata();
      await options.client();
    },

    async refresh(old, subject) {
      if (!old.refreshToken) throw new NeonpanelError('refused', 'there is no refresh token');
      const server = await metadata();
      const [client, authentication] = await ourClient();
      const response = await settle(async () =>
        oauth.processRefreshTokenResponse(
          server,
          client,
          await oauth.refreshTokenGrantRequest(
            server,
            client,
            authentication,
            old.refreshToken!,
            requestOptions(),
          ),
        ),
      );
      // The old refresh token is spent: what came for it must not be lost because keys can't be had just now. It came
      // from the token endpoint itself, over TLS, for a token that only this user's credential holds.
      const claims = await verify(response.access_token, server).catch((error: unknown) => {
        if (error instanceof KeysUnavailable) return decodeJwt(response.access_token);
        throw error;
      });
      if (claims.sub !== subject) {
        throw new NeonpanelError('refused', 'NeonPanel answered the refresh for another user');
      }
      return credential(response, claims, old.refreshToken);
    },
  };

  /** Never HTTP Basic: NeonPanel's token endpoint was seen to read only the form. */
  async function ourClient(): Promise<[oauth.Client, oauth.ClientAuth]> {
    const { clientId, clientSecret } = await options.client();
    const authentication = clientSecret ? oauth.ClientSecretPost(clientSecret) : oauth.None();
    return [{ client_id: clientId }, authentication];
  }

  function requestOptions() {
    // Configuration refuses http for anything but loopback.
    return { [oauth.customFetch]: fetch, [oauth.allowInsecureRequests]: url.startsWith('http:') };
  }

  async function verify(
    accessToken: string,
    server: oauth.AuthorizationServer,
  ): Promise<JWTPayload & { sub: string }> {
    // NeonPanel's tokens carry no dependable `aud`.
    const { payload } = await jwtVerify(accessToken, keysOf(server), {
      algorithms: ['RS256'],
      requiredClaims: ['sub'],
      issuer: [server.issuer, url, NEONPANEL_ISSUER],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      currentDate: new Date(now()),
    }).catch((cause: Error & { code?: string }) => {
      throw TOKEN_FAULTS.has(cause.code) ? unverifiable(cause) : new KeysUnavailable(cause);
    });
    const { sub } = payload;
    if (typeof sub !== 'string' || sub === '') throw unverifiable(new Error('no subject'));
    return { ...payload, sub };
  }

  function keysOf(server: oauth.AuthorizationServer) {
    const uri = server.jwks_uri!;
    if (jwks?.uri !== uri) {
      const keys = createRemoteJWKSet(new URL(uri), {
        [customFetch]: (address, init) => fetch(address, init),
        cooldownDuration: 1_000,
      });
      jwks = { uri, keys };
    }
    return jwks.keys;
  }

  /** One cheap call before anything is stored: a token the API does not take is worth nothing. */
  async function proveAccess(accessToken: string): Promise<void> {
    try {
      const query = { page: 1, per_page: 10 };
      const deadline = now() + API_PROOF_DEADLINE_MS;
      await api.call({ method: 'GET', path: '/companies', query, accessToken, deadline });
    } catch (error) {
      if (!(error instanceof NeonpanelError)) throw error;
      const { kind, status, detail } = error;
      const refused = kind === 'unauthorized' || kind === 'forbidden' || kind === 'rejected';
      throw new NeonpanelError(
        refused ? 'refused' : 'unavailable',
        'the NeonPanel API did not accept the new credential',
        { cause: error, ...(status && { status }), ...(detail && { detail }) },
      );
    }
  }

  function credential(
    response: oauth.TokenEndpointResponse,
    claims: JWTPayload,
    previousRefreshToken: string | undefined,
  ): NeonpanelCredential {
    const ends = [
      response.expires_in !== undefined && now() + response.expires_in * 1000,
      claims.exp !== undefined && claims.exp * 1000,
    ].filter((end) => end !== false);
    return {
      accessToken: response.access_token,
      refreshToken: response.refresh_token ?? previousRefreshToken,
      expiresAt: ends.length > 0 ? Math.min(...ends) : now() + ASSUMED_LIFETIME_MS,
    };
  }
}

/** jose's codes for a token that is at fault itself; with any other the keys could not be had. */
const TOKEN_FAULTS = new Set<unknown>([
  'ERR_JOSE_ALG_NOT_ALLOWED',
  'ERR_JOSE_NOT_SUPPORTED',
  'ERR_JWS_INVALID',
  'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
  'ERR_JWT_CLAIM_VALIDATION_FAILED',
  'ERR_JWT_EXPIRED',
  'ERR_JWT_INVALID',
]);

const unverifiable = (cause: Error) =>
  new NeonpanelError('unavailable', 'NeonPanel’s access token could not be verified', {
    detail: cause.message,
    cause,
  });

/** NeonPanel's keys can't be fetched, or the one this token names is not among them yet. */
class KeysUnavailable extends NeonpanelError {
  constructor(cause: Error) {
    const detail = cause.message;
    super('unavailable', 'NeonPanel’s keys can’t be had', { detail, cause });
  }
}

/** What NeonPanel may send the browser back with and mean "not now" (RFC 6749 §4.1.2.1); all else is a refusal. */
const NOT_NOW = ['server_error', 'temporarily_unavailable'];
/** What the token endpoint says of a code or refresh token that is dead; the rest, like `invalid_client`, is our trouble. */
const DEAD = ['access_denied', 'invalid_grant'];

/** Runs an exchange and tells "refused for good" from "not available now". NeonPanel's own words go to the log only. */
async function settle<T>(exchange: () => Promise<T>): Promise<T> {
  try {
    return await exchange();
  } catch (error) {
    if (error instanceof oauth.AuthorizationResponseError) {
      throw answered(NOT_NOW.includes(error.error) ? 'unavailable' : 'refused', error);
    }
    if (error instanceof oauth.ResponseBodyError) {
      throw answered(DEAD.includes(error.error) ? 'refused' : 'unavailable', error);
    }
    throw new NeonpanelError('unavailable', 'the exchange with NeonPanel failed', {
      detail: (error as Error).message.slice(0, 200),
      cause: error,
    });
  }
}

function answered(
  kind: NeonpanelErrorKind,
  cause: oauth.AuthorizationResponseError | oauth.ResponseBodyError,
): NeonpanelError {
  return new NeonpanelError(kind, `NeonPanel answered ${cause.error.slice(0, 60)}`, {
    cause,
    ...(cause instanceof oauth.ResponseBodyError && { status: cause.status }),
  });
}
