import type { AnswerAccount } from '../adapters/neonpanel/answer-room.ts';
import type { AuthInfo, McpServer } from '@modelcontextprotocol/server';
import type { Log } from '../log.ts';
import type { Bearer } from './bearer.ts';
import type { Caller } from './caller.ts';
import type { Loan } from './pool.ts';

/**
 * What belongs to one HTTP request. It travels through the SDK inside the request's own `authInfo`, and it is the only
 * place where a tool learns who is calling: servers are reused, exchanges are not.
 */
export interface Exchange {
  /** Undefined for anonymous discovery. */
  readonly caller: Caller | undefined;
  readonly loan: Loan<McpServer>;
  /** Epoch milliseconds by which everything about this request ends. */
  readonly deadline: number;
  /** What NeonPanel answers for it. */
  readonly answers: AnswerAccount;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
  readonly requestId: string;
  /** Every line carries the request id. */
  readonly log: Log;
}

/** Lends one exchange its servers. */
export type LendServer = () => Loan<McpServer>;

/** @param resourceMetadataUrl named by challenges that the SDK or a tool makes for this request */
export function authInfoFor(
  bearer: Bearer,
  exchange: Exchange,
  resourceMetadataUrl: string,
): AuthInfo {
  const known = bearer.kind === 'caller' ? bearer : undefined;
  return {
    token: known?.token ?? '',
    clientId: known?.caller.clientId ?? '',
    scopes: [...(known?.caller.scopes ?? [])],
    ...(known && { expiresAt: known.expiresAt }),
    resourceMetadataUrl,
    extra: { exchange },
  };
}

/** @throws TypeError for an authInfo that `authInfoFor` did not make */
export function exchangeOf(authInfo: AuthInfo | undefined): Exchange {
  const exchange = authInfo?.extra?.exchange as Exchange | undefined;
  if (!exchange) throw new TypeError('this request carries no exchange');
  return exchange;
}
