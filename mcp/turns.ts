import type { Context } from 'koa';
import { limitDetail, reportRefusal } from '../adapters/limit-refusals.ts';
import { type RateLimits, takeTurn } from '../adapters/rate-limits.ts';
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
  const counts = [
    [limits.messages, messages?.length ?? 1] as const,
    [limits.calls, calls] as const,
  ];
  for (const [limit, count] of counts) {
    const wait = count > 0 ? limit.take(grantId, count) : undefined;
    if (wait === undefined) continue;
    reportRefusal(limit.name);
    const description = `Too many requests. Nothing was done. Wait ${wait} s, then repeat them.`;
    throw new RpcRefusal(429, -32000, description, idOf(messages), {
      code: 'too_many_requests',
      detail: limitDetail(limit.name),
      retryAfterSeconds: wait,
    });
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
