/**
 * How often something may be asked in a minute, of everybody who is told apart by `by`. RATE_LIMIT_FACTOR multiplies all of
 * them. docs/limits.md says why these figures, and a test compares the two.
 *
 * Hosted clients serve thousands of users from few addresses: what counts by address either is not for people who have
 * signed in, or counts only what fails.
 */
export const RATE_LIMITS = {
  /** Is it alive, is it ready: some answers ask the store. */
  health: { perMinute: 600, by: 'address' },
  /** Documents, assets, preflights, what is not there, and MCP requests without a token that we signed. */
  public: { perMinute: 6_000, by: 'address' },
  /** What a person's browser opens: the question, its answer, the way back; and the front door. */
  pages: { perMinute: 600, by: 'address' },
  /** Authorization requests: each leaves a record of a few kilobytes for 15 minutes. */
  authorize: { perMinute: 300, by: 'address' },
  authorize_all: { perMinute: 6_000, by: 'all' },
  /** Sign-ins to the page of connected apps that are begun. An office may have one address. */
  account: { perMinute: 20, by: 'address' },
  account_all: { perMinute: 600, by: 'all' },
  /** Refused requests to the token, revocation and introspection endpoints. */
  oauth: { perMinute: 3_000, by: 'address' },
  refresh: { perMinute: 60, by: 'grant' },
  /** Tokens of a service client: some get one for every call. */
  service: { perMinute: 600, by: 'client' },
  /** Revocations and introspections: any id can be claimed by a client without a secret. */
  lookups: { perMinute: 3_000, by: 'client and address' },
  registration: { perMinute: 60, by: 'address' },
  registration_all: { perMinute: 1_000, by: 'all' },
  /** Wrong initial access tokens; who knows it may sit behind the same address. */
  initial_token: { perMinute: 20, by: 'address' },
  /** MCP messages of any kind; a batch counts by its messages. */
  messages: { perMinute: 1_200, by: 'grant' },
  /** Tool calls among them. */
  calls: { perMinute: 600, by: 'grant' },
} as const satisfies Record<string, { readonly perMinute: number; readonly by: string }>;

export type RateLimitName = keyof typeof RATE_LIMITS;

/** Of one limit so many callers are remembered; the one that was counted longest ago is forgotten. */
export const MAX_CALLERS = 10_000;
