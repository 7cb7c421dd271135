/**
 * How long a stop takes, in milliseconds, each from the signal on. All of it fits into the 30 s that Heroku, ECS and
 * Kubernetes wait by default before they kill.
 */

/** New requests are still taken: a balancer needs some seconds to see that we are not ready and to send them elsewhere. */
export const GRACE_MS = 5_000;
/** Without a balancer: enough for busy clients to be told to close their connections. */
export const LOOPBACK_GRACE_MS = 300;
/** What has no answer yet is cut off: later than any call that was under way at the signal may end (25 s). */
export const DRAIN_MS = 26_000;
/** The process ends, whatever is left to close and to write: the bound of the whole. */
export const STOP_MS = 28_000;
/** After a fault of ours that nobody caught, on a developer's machine: what failed may be what would have answered. */
export const LOOPBACK_CRASH_STOP_MS = 5_000;
