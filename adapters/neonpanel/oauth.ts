import { decodeJwt, type JWTPayload } from 'jose';
import * as oauth from 'oauth4webapi';
import type { BoundedFetch } from './bounded-fetch.ts';
import {
  type Callback,
  type NeonpanelApi,
  type NeonpanelCredential,
  NeonpanelError,
  type NeonpanelLogin,
} from './neonpanel.ts';
import type { NeonpanelClient } from './client.ts';
import { NoTurn } from './fair-turns.ts';
import { SERVICE_SUBJECT } from '../grants.ts';
import { DEAD, settle } from './settle.ts';
import { createTokenVerifier, KeysUnavailable } from './token-verifier.ts';

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
const API_PROOF_DEADLINE_MS = 10_000;
const NAMES_DEADLINE_MS = 3_000;
const MAX_NAME = 100;

/**
 * NeonpanelLogin by authorization code and PKCE (RFC 6749 §4.1, RFC 7636). NeonPanel has no userinfo: who signed in is
 * the verified `sub` of its access token.
 */
export function createNeonpanelLogin(options: NeonpanelOauthOptions): NeonpanelLogin {
  const { url, redirectUri, metadata, api, fetch, now } = options;
  const verify = createTokenVerifier({ url, fetch, now });

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

    async complete(callback) {
      const signedIn = await redeem(callback);
      await proveAccess(signedIn.credential.accessToken);
      return signedIn;
    },

    async identify(callback) {
      const signedIn = await redeem(callback);
      return { ...signedIn, companies: await companiesOf(signedIn.credential.accessToken) };
    },

    async prepare() {
      await metadata();
      await options.client();
    },

    async refresh(old, subject) {
      if (old.service) return serviceToken(old.service, old.service.subject);
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

    async signInService(client) {
      const made = await serviceToken(client);
      await proveAccess(made.accessToken);
      return made;
    },

    async revoke({ accessToken, refreshToken, service }) {
      const server = await metadata();
      if (!server.revocation_endpoint) return false;
      const [client, authentication]: [oauth.Client, oauth.ClientAuth] = service
        ? [{ client_id: service.clientId }, oauth.ClientSecretPost(service.clientSecret)]
        : await ourClient();
      // The refresh token stands for all of it (RFC 7009 §2.1).
      const token = refreshToken ?? accessToken;
      await settle(async () =>
        oauth.processRevocationResponse(
          await oauth.revocationRequest(server, client, authentication, token, requestOptions()),
        ),
      );
      return true;
    },
  };

  async function redeem({ parameters, state, codeVerifier }: Callback) {
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
    if (claims.sub.startsWith(SERVICE_SUBJECT)) {
      throw new NeonpanelError('refused', 'NeonPanel’s user has the name of a service account');
    }
    return { subject: claims.sub, credential: credential(response, claims, undefined) };
  }

  /** @param subject whom NeonPanel has to take the client for, if that is known */
  async function serviceToken(
    { clientId, clientSecret }: { clientId: string; clientSecret: string },
    subject?: string,
  ): Promise<NeonpanelCredential> {
    const server = await metadata();
    const client = { client_id: clientId };
    const response = await settle(
      async () =>
        oauth.processClientCredentialsResponse(
          server,
          client,
          await oauth.clientCredentialsGrantRequest(
            server,
            client,
            oauth.ClientSecretPost(clientSecret),
            { scope: options.scope },
            requestOptions(),
          ),
        ),
      // Here the client is the user.
      [...DEAD, 'invalid_client', 'unauthorized_client'],
    );
    const claims = await verify(response.access_token, server);
    if (subject !== undefined && claims.sub !== subject) {
      throw new NeonpanelError('refused', 'NeonPanel takes the service account for another');
    }
    const service = { clientId, clientSecret, subject: claims.sub };
    return { ...credential(response, claims, undefined), refreshToken: undefined, service };
  }

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

  /** One cheap call before anything is stored: a token the API does not take is worth nothing. */
  async function proveAccess(accessToken: string): Promise<void> {
    try {
      await firstCompanies(accessToken, API_PROOF_DEADLINE_MS);
    } catch (error) {
      if (error instanceof NoTurn) throw unavailable(error);
      if (!(error instanceof NeonpanelError)) throw error;
      const { kind, status, detail, retryAfterSeconds } = error;
      const refused = kind === 'unauthorized' || kind === 'forbidden' || kind === 'rejected';
      throw new NeonpanelError(
        refused ? 'refused' : 'unavailable',
        'the NeonPanel API did not accept the new credential',
        {
          cause: error,
          ...(status && { status }),
          ...(detail && { detail }),
          ...(retryAfterSeconds && { retryAfterSeconds }),
        },
      );
    }
  }

  /** By which people recognise their account; none if NeonPanel does not say. */
  async function companiesOf(accessToken: string): Promise<string[]> {
    try {
      const { body } = await firstCompanies(accessToken, NAMES_DEADLINE_MS);
      const { data } = Object(body) as { data?: unknown };
      const names = [data].flat().map((company) => (Object(company) as { name?: unknown }).name);
      return names.filter((name) => typeof name === 'string').map((n) => n.slice(0, MAX_NAME));
    } catch (error) {
      if (error instanceof NeonpanelError || error instanceof NoTurn) return [];
      throw error;
    }
  }

  function firstCompanies(accessToken: string, withinMs: number) {
    const query = { page: 1, per_page: 10 };
    const deadline = now() + withinMs;
    return api.call({ method: 'GET', path: '/companies', query, accessToken, deadline });
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

const unavailable = (cause: NoTurn) =>
  new NeonpanelError('unavailable', 'too many calls of NeonPanel are under way', { cause });
