import { createHash, generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { api } from './api.ts';
import { USER } from './records.ts';

/**
 * A NeonPanel made by a stranger: written from what is known about NeonPanel's OAuth server and API and from nothing
 * else of this project, so that a misunderstanding which our server and its sandbox share shows up here. Where the
 * facts leave a choice, it takes the less comfortable one. Every request is remembered.
 */
export interface StandInOptions {
  /** False: there is no metadata document. */
  readonly metadata?: boolean;
  /** `iss` and the metadata's issuer, if not the address it is served at (as behind a proxy). */
  readonly issuer?: string;
  /** True: each refresh token works once, and using an old one ends the whole family. */
  readonly rotates?: boolean;
  readonly lifetimeSeconds?: number;
  /** False: the token answer does not say how long the token lives. */
  readonly saysExpiresIn?: boolean;
  /** How lists in a query must be spelled to be read. */
  readonly arrays?: 'brackets' | 'repeat';
  /** True: import instructions are text/plain. */
  readonly plainInstructions?: boolean;
  /** True: item balances are still at `/details`. */
  readonly oldDetailsPath?: boolean;
  /** True: the first request to every endpoint gets HTML and a 500. */
  readonly flaky?: boolean;
  readonly now?: () => number;
}

export interface Recorded {
  readonly method: string;
  readonly url: URL;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The answer's, once there was one. */
  status?: number;
  /** Resolves when the client closed the connection without having been answered. */
  readonly abandoned: Promise<void>;
}

export interface Reply {
  readonly status: number;
  readonly headers?: Record<string, string>;
  /** An object is sent as JSON, text as it is. */
  readonly body?: unknown;
  /** True: the body is never finished. */
  readonly stalls?: true;
}

/** Takes the place of an answer: another one, the connection cut without one, or silence. */
export type Fault = (
  request: Recorded,
  answer: () => Reply,
) => Reply | 'cut' | 'hang' | Promise<Reply | 'cut' | 'hang'>;

export type StandIn = Awaited<ReturnType<typeof startStandIn>>;

interface Family {
  readonly clientId: string;
  readonly sub: string;
  live: boolean;
}

export async function startStandIn(options: StandInOptions = {}) {
  const { now = Date.now, lifetimeSeconds = 600, rotates = true } = options;
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const kid = randomBytes(8).toString('hex');
  const requests: Recorded[] = [];
  const clients = new Map<string, { redirectUris: string[]; managementToken: string }>();
  const logins = new Map<string, URLSearchParams>();
  const codes = new Map<string, { asked: URLSearchParams; until: number }>();
  const accessTokens = new Map<string, { sub: string; until: number }>();
  const refreshTokens = new Map<string, { family: Family; spent: boolean }>();
  const families: Family[] = [];
  const faults: { match: RegExp; fault: Fault; left: number }[] = [];
  const stumbled = new Set<string>();
  let port = 0;
  let url = '';
  let issuer = '';

  function route(request: Recorded): Reply {
    const { method, path } = request;
    if (options.flaky && path !== '/login' && !stumbled.has(`${method} ${path}`)) {
      stumbled.add(`${method} ${path}`);
      return whoops();
    }
    if (path.startsWith('/api/v1/')) {
      const bearer = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '';
      const token = accessTokens.get(bearer);
      if (!token || token.until <= now()) return json(401, { message: 'Unauthenticated.' });
      return api(request, options);
    }
    if (path.startsWith('/oauth2/register/')) return management(request);
    switch (`${method} ${path}`) {
      case 'GET /.well-known/oauth-authorization-server':
        return options.metadata === false ? notFound() : json(200, metadata());
      case 'GET /.well-known/jwks.json':
        return json(200, { keys: [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256' }] });
      case 'POST /oauth2/register':
        return register(JSON.parse(request.body));
      case 'GET /oauth2/authorize':
        return authorize(request.url.searchParams);
      case 'POST /login':
        return login(new URLSearchParams(request.body));
      case 'POST /oauth2/token':
        return token(new URLSearchParams(request.body));
      default:
        return notFound();
    }
  }

  const metadata = () => ({
    issuer,
    authorization_endpoint: `${url}/oauth2/authorize`,
    token_endpoint: `${url}/oauth2/token`,
    registration_endpoint: `${url}/oauth2/register`,
    jwks_uri: `${url}/.well-known/jwks.json`,
    // Q4: this is all it admits to.
    scopes_supported: ['dcr.create'],
    response_types_supported: ['code'],
    grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
    token_endpoint_auth_methods_supported: [
      'none',
      'private_key_jwt',
      'client_secret_post',
      'client_secret_basic',
    ],
    code_challenge_methods_supported: ['S256'],
  });

  function register(asked: Record<string, unknown>): Reply {
    const redirectUris = asked.redirect_uris as string[];
    if (!Array.isArray(redirectUris) || redirectUris.length === 0) {
      return json(400, { error: 'invalid_redirect_uri' });
    }
    const clientId = createHash('sha1').update(randomBytes(20)).digest('hex');
    const managementToken = randomBytes(20).toString('hex');
    clients.set(clientId, { redirectUris, managementToken });
    return json(201, {
      ...asked,
      client_id: clientId,
      client_id_issued_at: Math.floor(now() / 1000),
      client_secret_expires_at: 0,
      registration_client_uri: `${url}/oauth2/register/${clientId}`,
      registration_access_token: managementToken,
    });
  }

  function management({ method, path, headers }: Recorded): Reply {
    const clientId = path.split('/')[3]!;
    const client = clients.get(clientId);
    if (headers.authorization !== `Bearer ${client?.managementToken}`) {
      return json(401, { error: 'invalid_token' });
    }
    if (method === 'GET') {
      return json(200, { client_id: clientId, redirect_uris: client!.redirectUris });
    }
    return notFound();
  }

  function authorize(asked: URLSearchParams): Reply {
    const client = clients.get(asked.get('client_id') ?? '');
    const problem =
      (!client && 'client_id') ||
      (asked.get('response_type') !== 'code' && 'response_type') ||
      (!client!.redirectUris.includes(asked.get('redirect_uri') ?? '') && 'redirect_uri') ||
      (asked.get('code_challenge_method') !== 'S256' && 'code_challenge_method') ||
      (!/^[\w-]{43}$/.test(asked.get('code_challenge') ?? '') && 'code_challenge') ||
      (!asked.get('scope')?.split(' ').includes('openid') && 'scope');
    if (problem) return json(400, { error: 'invalid_request', error_description: problem });
    const ticket = randomUUID();
    logins.set(ticket, asked);
    return html(
      200,
      `<form method="post" action="/login"><input type="hidden" name="ticket" value="${ticket}">
       <input name="email"><input name="password" type="password"><button>Log in</button></form>`,
    );
  }

  function login(form: URLSearchParams): Reply {
    const asked = logins.get(form.get('ticket') ?? '');
    if (!asked) return html(419, 'Page expired');
    if (form.get('email') !== USER.email || form.get('password') !== USER.password) {
      return html(422, 'These credentials do not match our records.');
    }
    logins.delete(form.get('ticket')!);
    const code = randomBytes(20).toString('hex');
    codes.set(code, { asked, until: now() + 60_000 });
    const back = new URL(asked.get('redirect_uri')!);
    back.searchParams.set('code', code);
    if (asked.has('state')) back.searchParams.set('state', asked.get('state')!);
    return { status: 302, headers: { location: back.href } };
  }

  /** Q2: only the form is read, and a client that is not named in it is an accident. */
  function token(form: URLSearchParams): Reply {
    const clientId = form.get('client_id');
    if (clientId === null) return whoops();
    if (!clients.has(clientId)) return json(401, { error: 'invalid_client' });
    if (form.get('grant_type') === 'authorization_code') {
      const code = codes.get(form.get('code') ?? '');
      codes.delete(form.get('code') ?? '');
      const challenge = createHash('sha256').update(form.get('code_verifier') ?? '');
      const good =
        code !== undefined &&
        code.until > now() &&
        code.asked.get('client_id') === clientId &&
        code.asked.get('redirect_uri') === form.get('redirect_uri') &&
        code.asked.get('code_challenge') === challenge.digest('base64url');
      if (!good) return json(400, { error: 'invalid_grant', error_description: 'code' });
      const family = { clientId, sub: USER.sub, live: true };
      families.push(family);
      return json(200, tokens(family, true));
    }
    if (form.get('grant_type') !== 'refresh_token') {
      return json(400, { error: 'unsupported_grant_type' });
    }
    const known = refreshTokens.get(form.get('refresh_token') ?? '');
    if (known?.spent) known.family.live = false;
    if (!known?.family.live || known.family.clientId !== clientId) {
      return json(400, { error: 'invalid_grant', error_description: 'refresh token' });
    }
    known.spent = rotates;
    return json(200, tokens(known.family, rotates));
  }

  function tokens(family: Family, withRefreshToken: boolean) {
    const accessToken = jwt(family.sub);
    accessTokens.set(accessToken, { sub: family.sub, until: now() + lifetimeSeconds * 1000 });
    const refreshToken = randomBytes(40).toString('hex');
    if (withRefreshToken) refreshTokens.set(refreshToken, { family, spent: false });
    return {
      token_type: 'Bearer',
      access_token: accessToken,
      ...(options.saysExpiresIn !== false && { expires_in: lifetimeSeconds }),
      ...(withRefreshToken && { refresh_token: refreshToken }),
    };
  }

  /** Dates with fractions, `scp` as a list, no `aud`. */
  function jwt(sub: string): string {
    const iat = now() / 1000 + 0.000_25;
    const claims = { iss: issuer, sub, iat, exp: iat + lifetimeSeconds, scp: ['openid'] };
    const signed = [
      { typ: 'JWT', alg: 'RS256', kid },
      { ...claims, jti: randomUUID() },
    ]
      .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
      .join('.');
    return `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`;
  }

  const server = createServer(async (incoming, response) => {
    const gone = Promise.withResolvers<void>();
    response.once('close', () => {
      if (!response.writableFinished) gone.resolve();
    });
    const chunks: Buffer[] = [];
    try {
      for await (const chunk of incoming) chunks.push(chunk as Buffer);
    } catch {
      return;
    }
    const address = new URL(incoming.url!, url);
    const request: Recorded = {
      method: incoming.method!,
      url: address,
      path: address.pathname,
      headers: incoming.headers,
      body: Buffer.concat(chunks).toString(),
      abandoned: gone.promise,
    };
    requests.push(request);
    const line = `${request.method} ${request.path}`;
    const found = faults.find(({ match, left }) => left > 0 && match.test(line));
    if (found) found.left--;
    const reply = found ? await found.fault(request, () => route(request)) : route(request);
    if (reply === 'hang') return;
    if (reply === 'cut') return void incoming.socket.resetAndDestroy();
    const { status, headers = {}, body = '' } = reply;
    request.status = status;
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const type = typeof body === 'string' ? 'text/html; charset=UTF-8' : 'application/json';
    response.writeHead(status, { 'content-type': type, ...headers });
    if (reply.stalls) response.write(text);
    else response.end(text);
  });
  const listen = (at: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(at, '127.0.0.1', resolve);
    });
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  await listen(0);
  port = (server.address() as AddressInfo).port;
  url = `http://127.0.0.1:${port}`;
  issuer = options.issuer ?? url;

  return {
    url,
    user: USER,
    requests: requests as readonly Recorded[],
    /** Requests whose method and path match, e.g. `/^POST \/oauth2\/token/`. */
    seen: (match: RegExp) => requests.filter(({ method, path }) => match.test(`${method} ${path}`)),
    /** How often a refresh token was presented. */
    refreshes: () =>
      requests.filter(
        ({ path, body }) => path === '/oauth2/token' && body.includes('grant_type=refresh_token'),
      ).length,
    /** The next `times` matching requests meet this fault. @returns the way to end it */
    fault(match: RegExp, fault: Fault, times = Infinity): () => void {
      const entry = { match, fault, left: times };
      faults.unshift(entry);
      return () => void faults.splice(faults.indexOf(entry), 1);
    },
    /** No access token works any more, as if all had expired early. */
    endAccessTokens: () => accessTokens.clear(),
    /** No refresh token works any more. */
    endFamilies: () => families.forEach((family) => (family.live = false)),
    /** The registration tokens are over; the clients themselves stay (30 days have passed). */
    endManagementTokens() {
      for (const client of clients.values()) (client.managementToken as string) = randomUUID();
    },
    /** Every secret it gave out. */
    secrets: () => [...accessTokens.keys(), ...refreshTokens.keys()],
    clear: () => void requests.splice(0),
    down: close,
    up: () => listen(port),
    close,
  };
}

export const json = (
  status: number,
  body: object,
  headers: Record<string, string> = {},
): Reply => ({
  status,
  headers,
  body,
});
const html = (status: number, body: string): Reply => ({ status, body });
const notFound = () => html(404, '<!doctype html><title>404</title>');
/** Q3: an error page with the inside of the server on it. */
export const whoops = (status = 500): Reply =>
  html(
    status,
    '<!doctype html><h1>Whoops</h1><pre>Illuminate\\Database\\QueryException in /var/www/vendor/laravel/Connection.php:712</pre>',
  );
