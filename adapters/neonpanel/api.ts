import { setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import type { NeonpanelOutcome } from '../../facts.ts';
import type { Log } from '../../log.ts';
import { type AnswerRoom, createAnswerRoom, TooMuchAtOnce } from './answer-room.ts';
import { type Accounted, attempt, heardIn, noteDispatch, type Outcome, seenIn } from './attempt.ts';
import type { Breaker } from './breaker.ts';
import { startBudget, type Budget } from './budget.ts';
import { createFairTurns, NoTurn } from './fair-turns.ts';
import {
  NeonpanelError,
  type ApiRequest,
  type ApiResponse,
  type NeonpanelApi,
} from './neonpanel.ts';
import { requestTarget, type ArrayStyle } from './request.ts';
import type { NeonpanelWatch } from './watch.ts';

const CONNECTIONS = 64;
/** Of them, those that the calls of one grant may use at a time. */
const CALLS_PER_GRANT = 8;
const CONNECT_TIMEOUT_MS = 5_000;
/** Between two chunks; the deadline of the call is what really ends it. */
const SILENCE_TIMEOUT_MS = 60_000;
/** A wait NeonPanel asks for is served here up to this long; a longer one is the caller's to plan. */
const MAX_SERVED_WAIT_SECONDS = 5;
/** A retry must have this much of the deadline left, or it would only add load. */
const MIN_RETRY_BUDGET_MS = 500;

export interface NeonpanelApiOptions {
  /** NEONPANEL_API_URL, e.g. `https://my.neonpanel.com/api/v1`. */
  apiUrl: string;
  arrayStyle: ArrayStyle;
  /** The clock that deadlines are given in, epoch milliseconds. */
  now?: () => number;
  log?: Log;
  breaker: Breaker;
  /** Where answers are held. */
  room?: AnswerRoom;
  watch?: NeonpanelWatch | undefined;
}

/**
 * The REST client. A GET is repeated once after a reset, a 5xx or a short 429, because it may be; a POST never is,
 * because a lost answer says nothing about what happened.
 */
export function createNeonpanelApi(options: NeonpanelApiOptions): NeonpanelApi & {
  /** Connections, those with a request on them, and requests that wait for one. */
  connections(): { open: number; busy: number; waiting: number };
} {
  const base = new URL(options.apiUrl);
  const basePath = base.pathname.replace(/\/+$/, '');
  const now = options.now ?? Date.now;
  const room = options.room ?? createAnswerRoom();
  const turns = createFairTurns({ inAll: CONNECTIONS, perGrant: CALLS_PER_GRANT });
  const connections = new Pool(base.origin, {
    connections: CONNECTIONS,
    pipelining: 1,
    // HTTP/1.1: giving up on a call closes its own socket and nobody else's.
    allowH2: false,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    headersTimeout: SILENCE_TIMEOUT_MS,
    bodyTimeout: SILENCE_TIMEOUT_MS,
  });
  const pool = connections.compose(noteDispatch);

  async function ask(
    target: string,
    request: Accounted,
    budget: Budget,
    isRetry = false,
  ): Promise<Outcome> {
    const started = performance.now();
    const { method, path, grant } = request;
    let seen: NeonpanelOutcome = 'not_asked';
    let release: (() => void) | undefined;
    try {
      options.breaker.assertAsked();
      const taken = turns.take(grant, budget.signal);
      release = typeof taken === 'function' ? taken : await taken;
      const outcome = await options.breaker.run(
        () => attempt(pool, target, request, budget, now),
        (settled) => heardIn(settled, request),
      );
      seen = seenIn(outcome);
      return outcome;
    } catch (error) {
      if (error instanceof TooMuchAtOnce) seen = 'no_room';
      if (error instanceof NoTurn) {
        const isGone = budget.signal.reason === 'caller gone';
        seen = isGone ? 'abandoned' : 'no_room';
      }
      throw error;
    } finally {
      release?.();
      options.watch?.saw({ method, path, isRetry }, seen, started);
    }
  }

  async function call(request: ApiRequest): Promise<ApiResponse> {
    const target = requestTarget(basePath, request, options.arrayStyle);
    const budget = startBudget(request.deadline - now(), request.signal);
    const answers = request.answers ?? room.open();
    try {
      const first = await ask(target, { ...request, answers }, budget);
      if ('response' in first) return first.response;
      const delayMs = retryDelayMs(request, first, budget);
      if (delayMs === undefined) throw first.error;
      options.log?.info({ event: 'neonpanel.retry', detail: first.error.detail, delayMs });
      await sleep(delayMs, undefined, { signal: budget.signal }).catch(() => {
        throw first.error;
      });
      const second = await ask(target, { ...request, answers }, budget, true);
      if ('response' in second) return second.response;
      throw second.error;
    } finally {
      if (!request.answers) answers.close();
      budget.end();
    }
  }

  return {
    call,
    connections() {
      const { connected, running, pending, queued } = connections.stats;
      return { open: connected, busy: running, waiting: turns.waiting + pending + queued };
    },
    close: () => connections.close(),
  };
}

/** Milliseconds to wait before the one retry, or undefined when there is none. */
function retryDelayMs(
  request: ApiRequest,
  outcome: { error: NeonpanelError; transient: boolean },
  budget: Budget,
): number | undefined {
  if (request.method !== 'GET' || !outcome.transient) return undefined;
  const asked = outcome.error.retryAfterSeconds;
  if (asked === undefined && outcome.error.kind === 'rate_limited') return undefined;
  if (asked !== undefined && asked > MAX_SERVED_WAIT_SECONDS) return undefined;
  const delayMs = (asked ?? 0) * 1000 + 100 + Math.random() * 200;
  return delayMs + MIN_RETRY_BUDGET_MS < budget.remainingMs() ? delayMs : undefined;
}
