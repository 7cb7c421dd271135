import { channel } from 'node:diagnostics_channel';
import { Refusal } from '../errors.ts';
import type { RateLimitName } from './rate-limit-table.ts';

/** Everything that refuses because it is too much. Few, and none of them made of anything that a stranger says. */
export type LimitName =
  | RateLimitName
  /** Open legacy streams, and messages of one that are under way. */
  | 'streams'
  | 'stream_messages'
  /** Clients that wait for a first login. */
  | 'waiting_clients'
  /** Documents and keys of clients, fetched for strangers. */
  | 'fetches'
  /** Connections. */
  | 'sockets'
  /** NeonPanel's answers that are being worked on. */
  | 'answers';

/** Who counts refusals subscribes to `neonpanel-mcp:limit`: `{ limit }`. */
export const LIMIT_CHANNEL = 'neonpanel-mcp:limit';

const refusals = channel(LIMIT_CHANNEL);

/** Every refusal of a limit is told here, once. */
export function reportRefusal(limit: LimitName): void {
  refusals.publish({ limit });
}

/**
 * RFC 6585 §4. The code is the one that MCP clients know for it, and none that makes them drop what they hold.
 *
 * @param retryAfterSeconds sent as Retry-After
 */
export function tooManyRequests(
  limit: LimitName,
  retryAfterSeconds: number,
  description = 'Too many requests. Try again later.',
): Refusal {
  reportRefusal(limit);
  return new Refusal('too_many_requests', 429, description, {
    detail: limitDetail(limit),
    retryAfterSeconds,
  });
}

/** How the log names it. */
export const limitDetail = (limit: LimitName): string => `limit: ${limit}`;
