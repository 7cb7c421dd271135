import type { AuthInfo } from '@modelcontextprotocol/server';
import { audit, type Outcome } from '../../audit.ts';
import type { Log } from '../../log.ts';
import type { Exchange } from '../exchange.ts';

/** What became of a call, for the audit log: nothing of its arguments but the companies, nothing of its answer. */
export interface Account {
  outcome: Outcome<'tool.call'>;
  companies?: readonly string[];
  /** NeonPanel's HTTP status, or ours. */
  status?: number | undefined;
  error?: string;
}

/** The line of a call. @param ms how long it took */
export function auditCall(
  authInfo: AuthInfo | undefined,
  log: Log,
  tool: string,
  account: Account,
  ms?: number,
): void {
  const exchange = exchangeIn(authInfo);
  const { clientId, grantId, accountId } = exchange?.caller ?? {};
  const whose = { client_id: clientId, grant: grantId, subject: accountId };
  audit(exchange?.log ?? log, 'tool.call', { tool, ...account, ...whose, ms });
}

/** Absent where a tool is called without our HTTP edge. */
export const exchangeIn = (authInfo: AuthInfo | undefined) =>
  authInfo?.extra?.exchange as Partial<Exchange> | undefined;
