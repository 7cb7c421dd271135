import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { NeonpanelError } from '../adapters/neonpanel/neonpanel.ts';
import { withoutPatience } from '../adapters/patience.ts';
import { digest, isSame } from '../adapters/secrets.ts';
import type { Key } from '../adapters/store.ts';
import { Refusal, StoreUnavailable } from '../errors.ts';
import { type Attempt, attemptKey, type Attempts } from './attempts.ts';
import { canonical } from './canonical.ts';
import { UnknownOutcome } from './tools/outcome.ts';
import type { OnceCall, Structured } from './tools/tool.ts';

/** Whose call it is, and how long it may take. */
export interface Terms {
  /** NeonPanel's subject: a key is the user's own, through whichever client it comes. */
  readonly owner: string;
  /** Epoch milliseconds. */
  readonly deadline: number;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** No call takes longer than 25 s: whoever began so long ago has died. */
const DEAD_AFTER_MS = 60_000;
/** How long one call waits for another with its key, and what it then still needs to do the work itself. */
const MAX_WAIT_MS = 20_000;
const MIN_LEFT_MS = 5_000;
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 1_000;
/** Characters of JSON. Of a longer answer only its request_id is kept. */
const MAX_RESULT_LENGTH = 48_000;

/**
 * Changes that are asked for several times and carried out once. A call with an idempotency key is written down before
 * NeonPanel is asked, and NeonPanel's answer after it; another call with the key gets that answer. What may have been
 * carried out is never sent again.
 */
export function createIdempotency(options: {
  attempts: Attempts;
  /** False for a moment after an outage: what could not be written meanwhile is on its way. */
  isSettled: () => boolean;
  now: () => number;
}) {
  const { attempts, isSettled, now } = options;

  return {
    /**
     * Does the work, unless a call with this key did it within 24 hours; waits for one that is at it.
     * @throws what `work` throws
     * @throws Refusal if the key was used with other arguments, the other call takes too long, or the store is away:
     * nothing was sent then
     * @throws UnknownOutcome if it is not known what became of the other call
     */
    async once(call: OnceCall, terms: Terms, work: () => Promise<Structured>): Promise<Structured> {
      const key = attemptKey(terms.owner, call.tool, call.key);
      const argumentsHash = digest(canonical(call.args));
      const first = await begin(key, argumentsHash);
      if (first) return carryOut(key, first, work);
      // Looking again and again is no sign of a slow store, and the wait has an end of its own.
      return withoutPatience(() => follow(key, argumentsHash, terms, work));
    },
  };

  async function begin(key: Key, argumentsHash: string) {
    const state = 'started' as const;
    const attempt: Attempt = { argumentsHash, state, holder: randomUUID(), startedAt: now() };
    const version = await attempts.begin(key, attempt).catch(nothingSent);
    return version === undefined ? undefined : { attempt, version };
  }

  async function carryOut(
    key: Key,
    { attempt, version }: { attempt: Attempt; version: string },
    work: () => Promise<Structured>,
  ): Promise<Structured> {
    let result: Structured;
    try {
      result = await work();
    } catch (error) {
      if (isCertain(error)) await attempts.drop(key, version);
      else await attempts.end(key, version, { ...attempt, state: 'unknown' });
      throw error;
    }
    await attempts.end(key, version, { ...attempt, state: 'done', ...kept(result) });
    return result;
  }

  /** The key is in use: its first call has ended, or is waited for. */
  async function follow(
    key: Key,
    argumentsHash: string,
    { deadline, signal }: Terms,
    work: () => Promise<Structured>,
  ): Promise<Structured> {
    const end = Math.min(deadline - MIN_LEFT_MS, now() + MAX_WAIT_MS);
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 1.5, MAX_PAUSE_MS)) {
      const found = await attempts.find(key).catch(nothingSent);
      const result = found && resultOf(found, argumentsHash);
      if (result) return result;
      // NeonPanel refused it, so the key is free again.
      const mine = found ? undefined : await begin(key, argumentsHash);
      if (mine) return carryOut(key, mine, work);
      if (signal.aborted || now() + pause >= end) throw stillUnderWay();
      await wait(pause);
    }
  }

  /** @returns undefined while it may still come */
  function resultOf(found: Attempt | 'unreadable', argumentsHash: string): Structured | undefined {
    // Its master key is gone: there was a call, and nothing else is known.
    if (found === 'unreadable') throw outcomeNotKnown();
    if (!isSame(found.argumentsHash, argumentsHash)) throw keyReused();
    if (found.state === 'done') {
      if (found.result) return found.result;
      throw resultNotKept(found.requestId);
    }
    // Clocks of instances differ a little, either way.
    const isAlive = Math.abs(now() - found.startedAt) < DEAD_AFTER_MS;
    if (found.state === 'started' && (isAlive || !isSettled())) return undefined;
    throw outcomeNotKnown();
  }
}

export type Idempotency = ReturnType<typeof createIdempotency>;

/** NeonPanel has refused it, or was not asked. Whatever else went wrong, it may have been carried out. */
function isCertain(error: unknown): boolean {
  if (error instanceof NeonpanelError) return error.kind !== 'unavailable';
  return error instanceof Refusal && !(error instanceof UnknownOutcome);
}

function kept(result: Structured): Pick<Attempt, 'result' | 'requestId'> {
  if (JSON.stringify(result).length <= MAX_RESULT_LENGTH) return { result };
  const { request_id } = result;
  return typeof request_id === 'string' ? { requestId: request_id.slice(0, 100) } : {};
}

function nothingSent(error: unknown): never {
  if (!(error instanceof StoreUnavailable)) throw error;
  throw new Refusal(
    'temporarily_unavailable',
    503,
    'The idempotencyKey can’t be looked up at the moment, so this call did nothing and NeonPanel was not asked. Call again with the same idempotencyKey.',
    { detail: error.detail ?? '', retryAfterSeconds: 2, cause: error },
  );
}

const keyReused = () =>
  new Refusal(
    'idempotency_key_reused',
    409,
    'This idempotencyKey was used for another document in the last 24 hours, so nothing was done. To create this document as well, call with an idempotencyKey of its own. To repeat the earlier call, repeat its arguments exactly.',
  );

const stillUnderWay = () =>
  new Refusal(
    'idempotency_in_progress',
    409,
    'An earlier call with this idempotencyKey is still under way, so this one did nothing. Call again with the same idempotencyKey and arguments to get its result.',
    { retryAfterSeconds: 10 },
  );

const outcomeNotKnown = () =>
  new UnknownOutcome({
    description:
      'NeonPanel did not confirm an earlier call with this idempotencyKey, so it may or may not have been carried out. It was not sent again. Do not repeat it: ask the user to check in NeonPanel whether the document exists. Only if it does not, call with a new idempotencyKey.',
  });

const resultNotKept = (requestId: string | undefined) =>
  new Refusal(
    'idempotency_result_not_kept',
    409,
    `An earlier call with this idempotencyKey was carried out, and nothing was sent again. Its answer was too long to be kept: ${
      requestId === undefined
        ? 'ask the user to look at the documents in NeonPanel.'
        : `call checkImportStatus with the request_id ${JSON.stringify(requestId)}.`
    }`,
  );
