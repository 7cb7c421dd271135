import * as oauth from 'oauth4webapi';
import { NeonpanelError, type NeonpanelErrorKind } from './neonpanel.ts';
import { retryAfter } from './response.ts';

/** What NeonPanel may send the browser back with and mean "not now" (RFC 6749 §4.1.2.1); all else is a refusal. */
const NOT_NOW = ['server_error', 'temporarily_unavailable'];
/** What the token endpoint says of a code or refresh token that is dead; the rest, like `invalid_client`, is our trouble. */
export const DEAD = ['access_denied', 'invalid_grant'];

/**
 * Runs an exchange and tells "refused for good" from "not available now", and for how long, if NeonPanel says so. Its own
 * words go to the log only.
 *
 * @param dead the error codes that mean "for good"
 * @throws NeonpanelError
 */
export async function settle<T>(
  exchange: () => Promise<T>,
  dead: readonly string[] = DEAD,
): Promise<T> {
  try {
    return await exchange();
  } catch (error) {
    if (error instanceof oauth.AuthorizationResponseError) {
      throw answered(NOT_NOW.includes(error.error) ? 'unavailable' : 'refused', error);
    }
    if (error instanceof oauth.ResponseBodyError) {
      throw answered(dead.includes(error.error) ? 'refused' : 'unavailable', error);
    }
    if (error instanceof oauth.WWWAuthenticateChallengeError) {
      const kind = dead.includes('invalid_client') ? 'refused' : 'unavailable';
      throw new NeonpanelError(kind, 'NeonPanel does not know the client', {
        ...saidBy(error.response),
        cause: error,
      });
    }
    if (error instanceof NeonpanelError) throw error;
    const answer: unknown = (error as Error).cause;
    throw new NeonpanelError('unavailable', 'the exchange with NeonPanel failed', {
      ...(answer instanceof Response && saidBy(answer)),
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
    ...(cause instanceof oauth.ResponseBodyError && saidBy(cause.response)),
  });
}

/** What an answer that is none says for itself; by the machine's clock, which is what a date of NeonPanel's means. */
export function saidBy({ status, headers }: Response): {
  status: number;
  retryAfterSeconds?: number;
} {
  const retryAfterSeconds = retryAfter(headers.get('retry-after') ?? undefined, Date.now());
  return { status, ...(retryAfterSeconds !== undefined && { retryAfterSeconds }) };
}
