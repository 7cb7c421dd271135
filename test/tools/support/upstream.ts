import { NeonpanelError, type ApiResponse } from '../../../adapters/neonpanel/neonpanel.ts';
import type { Query, Tool, ToolContext, Upstream } from '../../../mcp/tools/tool.ts';

export interface Sent {
  method: 'GET' | 'POST';
  path: string;
  query: Record<string, unknown>;
  body?: unknown;
}

export type Answer = Partial<ApiResponse> | Error;

export const HPH = { uuid: 'a'.repeat(40), id: 201, name: 'Harbor & Pine Home', short_name: 'HPH' };

/**
 * An Upstream that records what it is asked and answers from a function; the list of companies is there already.
 * Query values left out (undefined) are not recorded, as they are not sent.
 */
export function recordingUpstream(
  answer: (sent: Sent) => Answer = () => ({ body: {} }),
  companies: readonly object[] = [HPH],
) {
  const sent: Sent[] = [];
  const take = async (request: Sent): Promise<ApiResponse> => {
    sent.push(request);
    const result =
      request.path === '/companies' && request.query['per_page'] === 60
        ? { body: { current_page: 1, last_page: 1, data: companies } }
        : answer(request);
    if (result instanceof Error) throw result;
    return { status: 200, body: {}, retryAfterSeconds: undefined, ...result };
  };
  const present = (query: Query = {}) =>
    Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined));
  const neonpanel: Upstream = {
    get: (path, query) => take({ method: 'GET', path, query: present(query) }),
    post: (path, body, query) => take({ method: 'POST', path, query: present(query), body }),
  };
  const webUrl = 'https://my.neonpanel.test';
  const context: ToolContext = { neonpanel, webUrl, once: (_call, work) => work(neonpanel) };
  return { sent, context, neonpanel };
}

/** Validates arguments as the server does, then runs the tool. */
export const runTool = (tool: Tool, args: unknown, context: ToolContext) =>
  tool.run(tool.input.parse(args), context);

export const notFound = () =>
  new NeonpanelError('rejected', 'NeonPanel answered 404', { status: 404 });
