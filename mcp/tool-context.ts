import type { AuthInfo } from '@modelcontextprotocol/server';
import type { NeonpanelApi } from '../adapters/neonpanel/neonpanel.ts';
import type { Credentials } from './credentials.ts';
import { type Exchange, exchangeOf } from './exchange.ts';
import type { Idempotency } from './idempotency.ts';
import type { ToolContext } from './tools/tool.ts';
import { upstreamFor } from './upstream.ts';

/** @returns what a tool gets for one call, from what the call's request carries */
export function createToolContexts(options: {
  api: NeonpanelApi;
  credentials: Credentials;
  idempotency: Idempotency;
  /** NEONPANEL_URL */
  neonpanelUrl: string;
}) {
  const { api, credentials, idempotency } = options;
  const webUrl = new URL(options.neonpanelUrl).origin;
  const upstream = (exchange: Exchange) => upstreamFor({ api, credentials, exchange });

  return function contextFor(authInfo: AuthInfo): ToolContext {
    const exchange = exchangeOf(authInfo);
    const { caller, deadline, signal } = exchange;
    return {
      neonpanel: upstream(exchange),
      webUrl,
      once(call, work) {
        if (!caller) throw new TypeError('nobody is calling');
        // A client that has gone comes back with its key and wants to hear how it ended: the work goes on without it.
        const neonpanel = upstream({ ...exchange, signal: new AbortController().signal });
        const terms = { owner: caller.accountId, deadline, signal };
        return idempotency.once(call, terms, () => work(neonpanel));
      },
    };
  };
}
