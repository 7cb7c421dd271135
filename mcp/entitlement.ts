import { NeonpanelError } from '../adapters/neonpanel/neonpanel.ts';
import type { JsonRpcMessage } from './body.ts';
import type { Caller } from './caller.ts';
import { type Credentials, GrantEnded } from './credentials.ts';
import { Unauthorized } from './rpc-refusal.ts';

/**
 * What must hold before a transport takes over, because nobody behind it can answer 401: a tool call needs a credential
 * that works, anything else only a living grant.
 *
 * @param deadline epoch milliseconds
 * @throws Unauthorized, StoreUnavailable
 */
export const assertEntitled = (
  credentials: Credentials,
  caller: Caller,
  messages: readonly JsonRpcMessage[],
  deadline: number,
): Promise<void> =>
  messages.some(({ method }) => method === 'tools/call')
    ? unlessEnded(() => credentials.accessToken(caller, deadline))
    : assertConnected(credentials, caller);

/** @throws Unauthorized if the grant has ended, StoreUnavailable */
export const assertConnected = (credentials: Credentials, caller: Caller): Promise<void> =>
  unlessEnded(() => credentials.assertAlive(caller));

/** NeonPanel being away is no reason for a 401: the tool will say so. */
async function unlessEnded(check: () => Promise<unknown>): Promise<void> {
  try {
    await check();
  } catch (error) {
    if (error instanceof GrantEnded) throw new Unauthorized('a token', error.message);
    if (!(error instanceof NeonpanelError)) throw error;
  }
}
