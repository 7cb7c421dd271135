import type { ServerContext } from '@modelcontextprotocol/server';

/** Clients that wait 60 s begin anew with every sign of life, and people see that something happens. */
const EVERY_MS = 2_000;
/** It is repeated with every notification. */
const MAX_TOKEN_LENGTH = 256;

/**
 * Tells a client that asked for it (`_meta.progressToken`) that its call is still being worked on, as long as it takes.
 *
 * @returns ends it
 */
export function reportProgress({ mcpReq }: ServerContext): () => void {
  const progressToken = mcpReq._meta?.progressToken;
  if (progressToken === undefined || String(progressToken).length > MAX_TOKEN_LENGTH)
    return () => {};
  const started = performance.now();
  const timer = setInterval(() => {
    // It has to grow (MCP, progress); how much there is to do is NeonPanel's secret, so there is no total.
    const progress = Math.round(performance.now() - started) / 1_000;
    const params = { progressToken, progress, message: 'NeonPanel is working on it' };
    // A client that has gone needs none.
    mcpReq.notify({ method: 'notifications/progress', params }).catch(() => {});
  }, EVERY_MS);
  return () => clearInterval(timer);
}
