import type { Log } from './log.ts';

/**
 * What is counted. Whoever knows a fact tells it to the log it has anyway; metrics/ listens, where it is switched on. So
 * each instance counts what is its own, nobody else knows of metrics, and without a listener a fact costs a look.
 *
 * Facts may hold what strangers have sent: the listener makes words of ours of it, of which there are few.
 */
export interface Facts {
  /** A line of the audit log, as it was written. */
  readonly audit: Readonly<Record<string, unknown>>;
  /** One request to NeonPanel is over, or was not made because NeonPanel does not answer or too many are under way. */
  readonly 'neonpanel.request': {
    readonly method: string;
    /** Without query. */
    readonly path: string;
    readonly outcome: NeonpanelOutcome;
    readonly ms: number;
    /** The second attempt. */
    readonly isRetry: boolean;
  };
  /** NeonPanel is no longer asked, or again. */
  readonly 'neonpanel.breaker': { readonly isOpen: boolean };
  /** A refresh token was taken: as the newest, once more within the grace, or ahead of a store that lost a write. */
  readonly refresh: { readonly as: 'rotated' | 'repeated' | 'recovered' };
  /** A limit refused somebody, by the names of adapters/limit-refusals.ts. */
  readonly limit: { readonly limit: string };
  /** What came over a connection was answered without having been read as a request. */
  readonly unread: { readonly status: 400 | 408 | 413 | 431 | 503 };
}

export const NEONPANEL_OUTCOMES = [
  'success',
  'rejected',
  'unauthorized',
  'forbidden',
  'rate_limited',
  /** An answer that can't be used: 5xx, or not what was asked for. */
  'failed',
  /** No answer. */
  'silent',
  /** Whoever wanted it has gone, or its time was over before it was sent. */
  'abandoned',
  /** Too much at a time: it got no turn, or its answer no room. It says nothing about NeonPanel. */
  'no_room',
  /** The breaker is open. */
  'not_asked',
] as const;
export type NeonpanelOutcome = (typeof NEONPANEL_OUTCOMES)[number];

/** Gets every fact. It must not throw. */
export type Listener = <F extends keyof Facts>(fact: F, about: Facts[F]) => void;

const LISTENER = Symbol('listener');

/** @returns a log like `log`; what is told to it, or to any child of it, is heard */
export const withListener = (log: Log, listener: Listener): Log =>
  Object.assign(log.child({}), { [LISTENER]: listener });

/** @param log of the instance, or of the request */
export function tell<F extends keyof Facts>(log: Log, fact: F, about: Facts[F]): void {
  (log as { [LISTENER]?: Listener })[LISTENER]?.(fact, about);
}
