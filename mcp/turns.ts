import type { Context } from 'koa';
import { type RateLimits, takeTurn, takeTurnOfEach } from '../adapters/rate-limits.ts';
import { Refusal } from '../errors.ts';
import { addressOf } from '../http/address.ts';
import type { JsonRpcMessage } from './body.ts';
import type { Caller } from './caller.ts';
import { RpcRefusal } from './rpc-refusal.ts';

/**
 * Counts what a caller sends, by its grant: whoever brings a token that we signed is never held up by what others do
 * behind the same address.
 *
 * @param messages absent for a request without any
 * @throws RpcRefusal 429 with the id of the message that is refused
 */
export function takeTurns(
  limits: RateLimits,
  { grantId }: Caller,
  messages?: readonly JsonRpcMessage[],
): void {
  const calls = messages?.filter(({ method }) => method === 'tools/call').length ?? 0;
  try {
    takeTurnOfEach(
      [
        [limits.messages, grantId, messages?.length ?? 1] as const,
        [limits.calls, grantId, calls] as const,
      ].filter(([, , count]) => count > 0),
      (wait) => `Too many requests. Nothing was done. Wait ${wait} s, then repeat them.`,
    );
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    throw new RpcRefusal(error.status, -32000, error.description, idOf(messages), error);
  }
}

/** Counts by address whoever has not shown a token of ours. @throws Refusal 429 */
export const takeStrangersTurn = (limits: RateLimits, ctx: Context): void =>
  takeTurn(limits.public, addressOf(ctx));

function idOf(messages: readonly JsonRpcMessage[] = []): string | number | null {
  const [id, ...others] = messages.map((message) => message['id']);
  const isOne = others.length === 0 && (typeof id === 'string' || typeof id === 'number');
  return isOne ? id : null;
}
