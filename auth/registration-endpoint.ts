import type { Context } from 'koa';
import type { RateLimit } from '../adapters/rate-limits.ts';
import { digest, isSame } from '../adapters/secrets.ts';
import type { WaitingClients } from '../adapters/waiting-clients.ts';
import type { Config } from '../config.ts';
import { Refusal } from '../errors.ts';
import { addressOf } from '../http/address.ts';
import { OAUTH_BODY_LIMIT_BYTES, readText, refuseOversize, replayBody } from '../http/body.ts';
import { acceptRegistration } from './registration.ts';

export interface RegistrationOptions {
  readonly config: Config;
  readonly registrationLimit: RateLimit;
  readonly waitingClients: WaitingClients;
}

/** Requests per minute. Hosted clients register for all their users from few addresses, sometimes twice per attempt. */
export const REGISTRATION_LIMIT = { perAddress: 60, inAll: 1_000 };
/** When somebody may have been collected, or have signed in. */
const RETRY_WHEN_FULL_SECONDS = 300;

/**
 * POST /oauth2/register (RFC 7591 §3): may this request register at all (initial access token, limits), is what it says
 * acceptable (registration.ts), is there room; then the engine makes the client.
 */
export function createRegistrationEndpoint(
  { config, registrationLimit, waitingClients }: RegistrationOptions,
  engine: (ctx: Context) => Promise<void>,
) {
  return async function register(ctx: Context): Promise<void> {
    refuseOversize(ctx, OAUTH_BODY_LIMIT_BYTES);
    checkInitialAccessToken(ctx, config);
    const wait = await registrationLimit.secondsToWait(addressOf(ctx));
    if (wait !== undefined) throw tooManyRequests('rate limit', wait);
    const metadata = acceptRegistration(await readJson(ctx), config);
    if (!waitingClients.takePlace()) {
      throw tooManyRequests('too many clients wait for a first login', RETRY_WHEN_FULL_SECONDS);
    }
    replayBody(ctx, JSON.stringify(metadata));
    try {
      await engine(ctx);
    } finally {
      if (ctx.status !== 201) waitingClients.giveBackPlace();
    }
  };
}

/**
 * The initial access token of REGISTRATION=token, in the header only (RFC 7591 §3, RFC 6750 §2.1).
 * @throws Refusal 401 with a challenge; there is an error code in it only if a token was presented (RFC 6750 §3.1)
 */
function checkInitialAccessToken(ctx: Context, { publicUrl, registration }: Config): void {
  if (registration.mode !== 'token') return;
  const [, presented] = /^bearer +(\S+) *$/i.exec(ctx.get('Authorization')) ?? [];
  const expected = registration.token;
  if (
    presented !== undefined &&
    expected !== undefined &&
    isSame(digest(presented), digest(expected))
  )
    return;
  const error = presented === undefined ? '' : ', error="invalid_token"';
  ctx.set('WWW-Authenticate', `Bearer realm="${publicUrl}"${error}`);
  throw new Refusal('invalid_token', 401, 'Registration here takes an initial access token.', {
    detail: presented === undefined ? 'no initial access token' : 'wrong initial access token',
  });
}

/** RFC 6585 §4. The code is the one that MCP clients know for it; one of RFC 7591 would blame their metadata. */
const tooManyRequests = (detail: string, retryAfterSeconds: number) =>
  new Refusal('too_many_requests', 429, 'Too many registrations. Try again later.', {
    detail,
    retryAfterSeconds,
  });

async function readJson(ctx: Context): Promise<unknown> {
  if (!ctx.is('application/json')) {
    throw invalidMetadata('Content-Type must be application/json.');
  }
  const text = await readText(ctx, OAUTH_BODY_LIMIT_BYTES);
  try {
    return JSON.parse(text);
  } catch {
    throw invalidMetadata('The body is not valid JSON.');
  }
}

const invalidMetadata = (description: string) =>
  new Refusal('invalid_client_metadata', 400, description);
