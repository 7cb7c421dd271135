import { Refusal } from '../errors.ts';
import { tell } from '../facts.ts';
import { currentLog, type Log } from '../log.ts';
import { RATE_LIMITS, type RateLimitName } from './rate-limit-table.ts';

/** What is limited, besides how often somebody asks. */
const OTHER_LIMITS = [
  /** Open legacy streams, and messages of one that are under way. */
  'streams',
  'stream_messages',
  /** Clients that wait for a first login. */
  'waiting_clients',
  /** Documents and keys of clients, fetched for strangers. */
  'fetches',
  /** Connections. */
  'sockets',
  /** NeonPanel's answers that are being worked on. */
  'answers',
  /** Calls of NeonPanel under way. */
  'turns',
] as const;

/** Everything that refuses because it is too much. Few, and none of them made of anything that a stranger says. */
export type LimitName = RateLimitName | (typeof OTHER_LIMITS)[number];
export const LIMIT_NAMES: readonly string[] = [...Object.keys(RATE_LIMITS), ...OTHER_LIMITS];

/**
 * Every refusal of a limit is told here, once, for whoever counts them.
 * @param log where there is no request
 */
export function reportRefusal(
  limit: LimitName,
  log: Log | undefined = currentLog(undefined),
): void {
  if (log) tell(log, 'limit', { limit });
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
