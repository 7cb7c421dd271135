import { setImmediate as turn } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import type { NeonpanelOutcome } from '../../facts.ts';
import { sizeOf } from '../../json-size.ts';
import { type AnswerAccount, TooMuchAtOnce } from './answer-room.ts';
import { LONG_TEXT, MAX_ANSWER_VALUES, textOf, Unreadable } from './body.ts';
import { type Heard, heardInStatus } from './breaker.ts';
import type { Budget } from './budget.ts';
import { NeonpanelError, type ApiRequest, type ApiResponse } from './neonpanel.ts';
import { operationOf } from './operation-name.ts';
import { requestHeaders } from './request.ts';
import { readAnswer, type RawAnswer } from './response.ts';
import { type Sending, unlessOver } from './sending.ts';

export type Accounted = ApiRequest & { readonly answers: AnswerAccount };

export type Outcome =
  | { readonly response: ApiResponse }
  | {
      readonly error: NeonpanelError;
      /** Another attempt may bring something else. */
      readonly transient: boolean;
      /** What it says about NeonPanel as a whole. */
      readonly heard: 'answer' | 'silence' | 'late' | 'nothing';
    };

/** Sends a request once and reads the answer. */
export async function attempt(
  pool: Dispatcher,
  target: string,
  request: Accounted,
  budget: Budget,
  now: () => number,
): Promise<Outcome> {
  const sending: Sending = { isSent: false };
  let answer: RawAnswer;
  try {
    budget.signal.throwIfAborted();
    const options: Dispatcher.RequestOptions & { sending: Sending } = {
      path: target,
      method: request.method,
      headers: requestHeaders(request),
      body: request.body === undefined ? null : JSON.stringify(request.body),
      signal: budget.signal,
      sending,
    };
    const raw = await unlessOver(pool.request(options), budget.signal);
    const text = await textOf(raw, request.answers, budget.signal);
    answer = { status: raw.statusCode, headers: raw.headers, text };
  } catch (error) {
    // Of a change nobody knows what came of it, as with any answer that can't be read.
    if (error instanceof TooMuchAtOnce && request.method === 'GET') throw error;
    return networkOutcome(error, budget, sending);
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
    const { status } = answer;
    const transient = status === 429 || status >= 500;
    return { error, transient, heard: heardInStatus(status) };
  }
}

/** Of a change it is not known what became of it; what was only read can be read in parts. */
function tooLarge({ method }: ApiRequest, { status }: RawAnswer): Outcome {
  const error = new NeonpanelError(
    method === 'GET' ? 'too_large' : 'unavailable',
    'NeonPanel answered too much',
    { status, detail: `more than ${MAX_ANSWER_VALUES} values` },
  );
  return { error, transient: false, heard: 'answer' };
}

function networkOutcome(error: unknown, { signal }: Budget, { isSent }: Sending): Outcome {
  const isOurs = error instanceof Unreadable || error instanceof TooMuchAtOnce;
  const gaveUp = signal.aborted;
  const code = (error as { code?: unknown } | undefined)?.code;
  const isNoRequest = code === 'UND_ERR_INVALID_ARG';
  const cause = isOurs ? error.message : String(code ?? 'request failed');
  return {
    error: new NeonpanelError('unavailable', 'No usable answer from NeonPanel', {
      detail: gaveUp ? String(signal.reason) : cause,
      wasSent: isSent,
      cause: error,
    }),
    transient: !gaveUp && !isOurs && !isNoRequest,
    heard: heard(),
  };

  function heard() {
    if (isOurs) return 'answer';
    // The time of a call that never was sent was over for reasons of ours.
    if (gaveUp) return isSent && signal.reason !== 'caller gone' ? 'late' : 'nothing';
    return isNoRequest ? 'nothing' : 'silence';
  }
}

/** What the breaker is told of an attempt. */
export function heardIn(
  settled: PromiseSettledResult<Outcome>,
  { method, path }: ApiRequest,
): Heard {
  // No room for an answer: there was one.
  if (settled.status === 'rejected' || 'response' in settled.value) return 'answer';
  const { heard } = settled.value;
  return heard === 'late' ? { late: operationOf(method, path) } : heard;
}

/** Why a signal was aborted. */
const ENDS: readonly string[] = ['deadline', 'caller gone'];

/** What is counted of an attempt. */
export function seenIn(outcome: Outcome): NeonpanelOutcome {
  if ('response' in outcome) return 'success';
  const { error, heard } = outcome;
  if (heard === 'silence' || heard === 'late') return 'silent';
  if (error.cause instanceof TooMuchAtOnce) return 'no_room';
  const { kind, detail } = error;
  if (heard === 'nothing' && detail !== undefined && ENDS.includes(detail)) return 'abandoned';
  return kind === 'unavailable' || kind === 'refused' || kind === 'too_large' ? 'failed' : kind;
}
