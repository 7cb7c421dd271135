/** What streams may take. Times in milliseconds. */
export interface StreamLimits {
  readonly perGrant: number;
  /** A client that describes itself in a document is one client for all its users. */
  readonly perClient: number;
  readonly inAll: number;
  /** Requests of one stream whose answers are still to come: unlike those to /mcp they hold no connection. */
  readonly underWay: number;
  /** How often a stream says that it is there and looks whether its grant is: well within the 60 s of balancers. */
  readonly beatMs: number;
  readonly lifetimeMs: number;
  /** Bytes that wait for one slow reader, and for all of them, when another message comes. */
  readonly backlogBytes: number;
  readonly backlogBytesInAll: number;
}

export const STREAM_LIMITS: StreamLimits = {
  perGrant: 20,
  perClient: 500,
  inAll: 1_000,
  underWay: 32,
  beatMs: 15_000,
  lifetimeMs: 12 * 60 * 60 * 1000,
  backlogBytes: 4 * 1024 * 1024,
  backlogBytesInAll: 64 * 1024 * 1024,
};
