import { DAY_MS } from '../clock.ts';
import type { ConnectedApp, Grant } from './grants.ts';

/**
 * What one user's record of connections says (connections.ts keeps it): which grants are theirs, how they are used, and
 * which have ended lately. Whether a grant is alive is never read here: only the grant itself says that.
 */
export interface ConnectionList {
  readonly connections: Readonly<Record<string, Use>>;
  /** The newest first. */
  readonly ended: readonly EndedConnection[];
  /** There were more than are kept. */
  readonly isIncomplete?: true;
}

/** Times are epoch milliseconds. */
export interface Use {
  readonly calls: number;
  readonly usedAt?: number;
  /** It can't live longer, unless it is renewed. */
  readonly endsAt: number;
}

/** `app` and `operator` are whoever revoked it, `lost` is a credential that was no longer in the store. */
export type EndReason = 'person' | 'app' | 'operator' | 'neonpanel' | 'replayed' | 'lost';

export interface EndedConnection {
  readonly grantId: string;
  readonly clientId: string;
  readonly app?: ConnectedApp | undefined;
  readonly endedAt: number;
  readonly why: EndReason;
}

/** What happened to one grant since the record was last written. */
export interface Change {
  readonly calls?: number | undefined;
  readonly usedAt?: number | undefined;
  readonly endsAt?: number | undefined;
  /** When it was last seen to be there. */
  readonly aliveAt?: number | undefined;
  readonly ended?: EndedConnection | undefined;
}

/** Of the grants of one user so many are kept; those that would end first go. */
export const MAX_LISTED = 500;
export const MAX_ENDED = 20;
export const ENDED_SHOWN_MS = 30 * DAY_MS;
/**
 * Whoever sees a grant so long after its end sees one that has come back, with an older state of the store. Before that it
 * may be somebody who had read it just before, or has another clock.
 */
export const BACK_AFTER_MS = 60_000;

export const NO_CONNECTIONS: ConnectionList = { connections: {}, ended: [] };

export const endedFacts = (
  grantId: string,
  { clientId, app }: Grant,
  why: EndReason,
  endedAt: number,
): EndedConnection => ({ grantId, clientId, app, endedAt, why });

/** Two changes of one grant in one. */
export const combine = (first: Change | undefined, then: Change): Change => ({
  calls: (first?.calls ?? 0) + (then.calls ?? 0),
  usedAt: latest(first?.usedAt, then.usedAt),
  endsAt: latest(first?.endsAt, then.endsAt),
  aliveAt: latest(first?.aliveAt, then.aliveAt),
  ended: first?.ended ?? then.ended,
});

/**
 * @param changes by grant. One that is not in the list gets there, whatever is told of it: so a list that lost an entry,
 * or is older than lists are, becomes whole when the grant is used
 * @param now epoch milliseconds
 * @param maxLifetimeMs of a grant that is only known to have been used
 */
export function applyChanges(
  list: ConnectionList,
  changes: ReadonlyMap<string, Change>,
  now: number,
  maxLifetimeMs: number,
): ConnectionList {
  const connections = new Map(Object.entries(list.connections));
  const over = new Map(list.ended.map((each) => [each.grantId, each]));
  for (const [grantId, change] of changes) {
    if (change.ended) over.set(grantId, change.ended);
    const isBack = (change.aliveAt ?? 0) - (over.get(grantId)?.endedAt ?? Infinity) > BACK_AFTER_MS;
    if (isBack) over.delete(grantId);
    if (over.has(grantId)) {
      connections.delete(grantId);
      continue;
    }
    const old = connections.get(grantId);
    const usedAt = latest(old?.usedAt, change.usedAt);
    connections.set(grantId, {
      calls: (old?.calls ?? 0) + (change.calls ?? 0),
      ...(usedAt !== undefined && { usedAt }),
      endsAt: latest(old?.endsAt, change.endsAt) ?? now + maxLifetimeMs,
    });
  }
  const alive = [...connections].filter(([, { endsAt }]) => endsAt > now);
  const kept = alive.toSorted(([, a], [, b]) => b.endsAt - a.endsAt).slice(0, MAX_LISTED);
  const isIncomplete = kept.length < alive.length || (list.isIncomplete && kept.length > 0);
  return {
    connections: Object.fromEntries(kept),
    ended: [...over.values()]
      .filter(({ endedAt }) => now - endedAt < ENDED_SHOWN_MS)
      .toSorted((a, b) => b.endedAt - a.endedAt)
      .slice(0, MAX_ENDED),
    ...(isIncomplete && { isIncomplete }),
  };
}

/** The list, which is now known to have every grant of its user; undefined if it says so already, or is full. */
export function withoutGap(list: ConnectionList): ConnectionList | undefined {
  const { isIncomplete, ...whole } = list;
  const isFull = Object.keys(list.connections).length >= MAX_LISTED;
  return isIncomplete && !isFull ? whole : undefined;
}

/** How long the record is needed, in seconds: as long as anything in it. */
export function lifetimeOf({ connections, ended }: ConnectionList, now: number): number {
  const ends = [
    ...Object.values(connections).map(({ endsAt }) => endsAt),
    ...ended.map(({ endedAt }) => endedAt + ENDED_SHOWN_MS),
  ];
  return Math.max(1, Math.ceil((Math.max(...ends, 0) - now) / 1000));
}

const latest = (a: number | undefined, b: number | undefined): number | undefined =>
  a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
