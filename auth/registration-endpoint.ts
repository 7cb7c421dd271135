import type { Context } from 'koa';
import type { GuessLimit } from '../adapters/guess-limit.ts';
import type { RateLimit } from '../adapters/rate-limits.ts';
import { digest, isSame } from '../adapters/secrets.ts';
import type { WaitingClients } from '../adapters/waiting-clients.ts';
import type { Config } from '../config.ts';
import { Refusal } from '../errors.ts';
import { type Limit, tell } from '../facts.ts';
import { addressOf } from '../http/address.ts';
import { OAUTH_BODY_LIMIT_BYTES, readText, refuseOversize, replayBody } from '../http/body.ts';
import { requestLog } from '../http/context.ts';
import { acceptRegistration } from './registration.ts';

export interface RegistrationOptions {
  readonly config: Config;
  readonly registrationLimit: RateLimit;
  /** Of initial access tokens. */
  readonly tokenGuesses: GuessLimit;
  readonly waitingClients: WaitingClients;
}

/** Requests per minute. Hosted clients register for all their users from few addresses, sometimes twice per attempt. */
export const REGISTRATION_LIMIT = { perAddress: 60, inAll: 1_000 };
/** Wrong initial access tokens per minute and address; who knows it may sit behind the same one. */
export const TOKEN_GUESS_LIMIT = 20;
/** When somebody may have been collected, or have signed in. */
const RETRY_WHEN_FULL_SECONDS = 300;

/**
 * POST /oauth2/register (RFC 7591 §3): may this request register at all (initial access token, limits), is what it says
 * acceptable (registration.ts), is there room; then the engine makes the client.
 */
export function createRegistrationEndpoint(
  { config, registrationLimit, tokenGuesses, waitingClients }: RegistrationOptions,
  engine: (ctx: Context) => Promise<void>,
) {
  return async function register(ctx: Context): Promise<void> {
    refuseOversize(ctx, OAUTH_BODY_LIMIT_BYTES);
    checkInitialAccessToken(ctx, config, tokenGuesses);
    const wait = await registrationLimit.secondsToWait(addressOf(ctx));
    if (wait !== undefined) throw tooManyRequests(ctx, 'registrations', 'rate limit', wait);
    const metadata = acceptRegistration(await readJson(ctx), config);
    if (!waitingClients.takePlace()) {
      const detail = 'too many clients wait for a first login';
      throw tooManyRequests(ctx, 'waiting_clients', detail, RETRY_WHEN_FULL_SECONDS);
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
 * The initial access token of REGISTRATION=token, in the header only (RFC 7591 §3, RFC 6750 §2.1). Where it was guessed
 * wrong too often, the right one does not count either: the answer would tell that it is.
 *
 * @throws Refusal 401 with a challenge; there is an error code in it only if a token was presented (RFC 6750 §3.1); 429
 */
function checkInitialAccessToken(
  ctx: Context,
  { publicUrl, registration }: Config,
  guesses: GuessLimit,
): void {
  if (registration.mode !== 'token') return;
  const [, presented] = /^bearer +(\S+) *$/i.exec(ctx.get('Authorization')) ?? [];
  if (presented === undefined) throw unauthorized(ctx, publicUrl, 'no initial access token');
  const wait = guesses.secondsToWait(addressOf(ctx));
  if (wait !== undefined) {
    throw tooManyRequests(
      ctx,
      'initial_access_tokens',
      'too many wrong initial access tokens',
      wait,
    );
  }
  const expected = registration.token;
  if (expected !== undefined && isSame(digest(presented), digest(expected))) return;
  guesses.countWrong(addressOf(ctx));
  throw unauthorized(ctx, publicUrl, 'wrong initial access token', ', error="invalid_token"');
}

function unauthorized(ctx: Context, realm: string, detail: string, error = ''): Refusal {
  ctx.set('WWW-Authenticate', `Bearer realm="${realm}"${error}`);
  const description = 'Registration here takes an initial access token.';
  return new Refusal('invalid_token', 401, description, { detail });
}

/** RFC 6585 §4. The code is the one that MCP clients know for it; one of RFC 7591 would blame their metadata. */
function tooManyRequests(
  ctx: Context,
  limit: Limit,
  detail: string,
  retryAfterSeconds: number,
): Refusal {
  tell(requestLog(ctx), 'limit', { limit });
  return new Refusal('too_many_requests', 429, 'Too many registrations. Try again later.', {
    detail,
    retryAfterSeconds,
  });
}

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
