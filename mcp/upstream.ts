import {
  type ApiRequest,
  type NeonpanelApi,
  NeonpanelError,
} from '../adapters/neonpanel/neonpanel.ts';
import { Refusal } from '../errors.ts';
import type { Caller } from './caller.ts';
import { type Credentials, GrantEnded } from './credentials.ts';
import type { Exchange } from './exchange.ts';
import type { Upstream } from './tools/tool.ts';

/**
 * NeonPanel as one caller sees it. Every call uses that caller's own credential; if NeonPanel no longer takes it, it is
 * replaced once and the call repeated (it was refused, so nothing was done), writes included.
 *
 * @throws TypeError for an anonymous exchange: tools are never called without a caller
 */
export function upstreamFor(options: {
  api: NeonpanelApi;
  credentials: Credentials;
  exchange: Exchange;
}): Upstream {
  const { api, credentials } = options;
  const { caller, deadline, signal, answers } = options.exchange;
  if (!caller) throw new TypeError('nobody is calling');
  return {
    get: (path, query = {}) => call(caller, { method: 'GET', path, query }),
    post: (path, body, query = {}) => call(caller, { method: 'POST', path, query, body }),
  };

  async function call(
    caller: Caller,
    request: Pick<ApiRequest, 'method' | 'path' | 'query' | 'body'>,
  ) {
    const terms = { ...request, deadline, signal, answers, grant: caller.grantId };
    try {
      const accessToken = await credentials.accessToken(caller, deadline).catch(refuse);
      try {
        return await api.call({ ...terms, accessToken });
      } catch (error) {
        if (!(error instanceof NeonpanelError) || error.kind !== 'unauthorized') throw error;
        const replaced = await credentials
          .replaceAccessToken(caller, accessToken, deadline)
          .catch(refuse);
        return await api.call({ ...terms, accessToken: replaced });
      }
    } catch (error) {
      if (error instanceof GrantEnded) throw new SignInAgain(error);
      throw error instanceof NeonpanelError && !error.wasSent ? notAsked(error) : error;
    }
  }
}

function refuse(error: unknown): never {
  throw error instanceof NeonpanelError ? notRenewed(error) : error;
}

/** The sign-in had to be renewed first, and could not be. */
function notRenewed(cause: NeonpanelError): Refusal {
  const description =
    'NeonPanel can’t be reached to renew the sign-in, so nothing was done. Nothing is wrong with the request: try it again once, then tell the user that NeonPanel is not reachable at the moment.';
  return nothingDone(description, cause, cause.retryAfterSeconds);
}

/** NeonPanel itself was not asked, because it does not answer. */
function notAsked(cause: NeonpanelError): Refusal {
  const description =
    'NeonPanel is not reachable at the moment, so nothing was done. Nothing is wrong with the request: if it fails again, tell the user.';
  return nothingDone(description, cause, cause.retryAfterSeconds);
}

/** Unlike an answer that is missing, this one leaves no doubt about a write: it was not carried out. */
function nothingDone(
  description: string,
  cause: NeonpanelError,
  retryAfterSeconds?: number,
): Refusal {
  const { message, detail = message } = cause;
  const more = { detail, retryAfterSeconds, cause };
  return new Refusal('temporarily_unavailable', 503, description, more);
}

/** The connection ended while a tool was running; the next request gets a 401. */
class SignInAgain extends Refusal {
  constructor(cause: unknown) {
    const description = 'The connection to NeonPanel has ended. Connect again to continue.';
    super('invalid_token', 401, description, { cause });
  }
}
