import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { Pool } from 'undici';
import type { NeonpanelOutcome } from '../../facts.ts';
import { sizeOf } from '../../json-size.ts';
import type { Log } from '../../log.ts';
import { type Breaker, isNobodyHome } from './breaker.ts';
import { startBudget, type Budget } from './budget.ts';
import {
  NeonpanelError,
  type ApiRequest,
  type ApiResponse,
  type NeonpanelApi,
} from './neonpanel.ts';
import {
  type AnswerAccount,
  type AnswerRoom,
  createAnswerRoom,
  TooMuchAtOnce,
} from './answer-room.ts';
import { LONG_TEXT, MAX_ANSWER_VALUES, textOf, Unreadable } from './body.ts';
import { requestHeaders, requestTarget, type ArrayStyle } from './request.ts';
import { readAnswer, type RawAnswer } from './response.ts';
import type { NeonpanelWatch } from './watch.ts';

const CONNECTIONS = 64;
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

type Accounted = ApiRequest & { readonly answers: AnswerAccount };

type Outcome =
  | { readonly response: ApiResponse }
  | {
      readonly error: NeonpanelError;
      readonly transient: boolean;
      /** Nobody answered, and it was not the caller who left. */
      readonly silence: boolean;
    };

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
  const pool = new Pool(base.origin, {
    connections: CONNECTIONS,
    pipelining: 1,
    // HTTP/1.1: giving up on a call closes its own socket and nobody else's.
    allowH2: false,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    headersTimeout: SILENCE_TIMEOUT_MS,
    bodyTimeout: SILENCE_TIMEOUT_MS,
  });

  async function ask(
    target: string,
    request: Accounted,
    budget: Budget,
    isRetry = false,
  ): Promise<Outcome> {
    const started = performance.now();
    let seen: NeonpanelOutcome = 'not_asked';
    try {
      const outcome = await options.breaker.run(
        () => attempt(pool, target, request, budget, now),
        (settled) =>
          settled.status === 'fulfilled' && 'error' in settled.value && settled.value.silence,
      );
      seen = seenIn(outcome, budget);
      return outcome;
    } finally {
      const { method, path } = request;
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
      const { connected, running, pending, queued } = pool.stats;
      return { open: connected, busy: running, waiting: pending + queued };
    },
    close: () => pool.close(),
  };
}

async function attempt(
  pool: Pool,
  target: string,
  request: Accounted,
  budget: Budget,
  now: () => number,
): Promise<Outcome> {
  let answer: RawAnswer;
  try {
    budget.signal.throwIfAborted();
    const raw = await pool.request({
      path: target,
      method: request.method,
      headers: requestHeaders(request),
      body: request.body === undefined ? null : JSON.stringify(request.body),
      signal: budget.signal,
    });
    const text = await textOf(raw, request.answers, budget.signal);
    answer = { status: raw.statusCode, headers: raw.headers, text };
  } catch (error) {
    // Of a change nobody knows what came of it, as with any answer that can't be read.
    if (error instanceof TooMuchAtOnce && request.method === 'GET') throw error;
    return networkOutcome(error, budget);
  }
  if (answer.status < 300 && sizeOf(answer.text, MAX_ANSWER_VALUES).values > MAX_ANSWER_VALUES) {
    return tooLarge(request, answer);
  }
  try {
    const response = readAnswer(answer, now());
    if (answer.text.length > LONG_TEXT) await turn();
    return { response };
  } catch (error) {
    if (!(error instanceof NeonpanelError)) throw error;
    const transient = answer.status === 429 || answer.status >= 500;
    return { error, transient, silence: isNobodyHome(answer.status) };
  }
}

/** Of a change it is not known what became of it; what was only read can be read in parts. */
function tooLarge({ method }: ApiRequest, { status }: RawAnswer): Outcome {
  const error = new NeonpanelError(
    method === 'GET' ? 'too_large' : 'unavailable',
    'NeonPanel answered too much',
    { status, detail: `more than ${MAX_ANSWER_VALUES} values` },
  );
  return { error, transient: false, silence: false };
}

function networkOutcome(error: unknown, budget: Budget): Outcome {
  const isOurs = error instanceof Unreadable || error instanceof TooMuchAtOnce;
  const gaveUp = budget.signal.aborted;
  const code = (error as { code?: unknown }).code;
  const cause = isOurs ? error.message : String(code ?? 'request failed');
  return {
    error: new NeonpanelError('unavailable', 'No usable answer from NeonPanel', {
      detail: gaveUp ? String(budget.signal.reason) : cause,
      wasSent: !isOfNoConnection(error),
      cause: error,
    }),
    transient: !gaveUp && !isOurs && code !== 'UND_ERR_INVALID_ARG',
    silence: budget.signal.reason !== 'caller gone' && !isOurs && code !== 'UND_ERR_INVALID_ARG',
  };
}

function seenIn(outcome: Outcome, { signal }: Budget): NeonpanelOutcome {
  if ('response' in outcome) return 'success';
  if (outcome.silence) return 'silent';
  if (signal.reason === 'caller gone') return 'abandoned';
  const { kind } = outcome.error;
  return kind === 'unavailable' || kind === 'refused' || kind === 'too_large' ? 'failed' : kind;
}

/** There never was a connection, so a write can't have been carried out: no address for the name, or nobody there. */
function isOfNoConnection(error: unknown): boolean {
  // One for each address of the name.
  if (error instanceof AggregateError) return error.errors.every(isOfNoConnection);
  const { code, syscall } = error as NodeJS.ErrnoException;
  return ['getaddrinfo', 'connect'].includes(syscall ?? '') || code === 'UND_ERR_CONNECT_TIMEOUT';
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
