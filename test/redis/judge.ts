import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { words, type Flow, type Sent, type StepName } from './flow.ts';

/** How long an answer may take while Redis is away: two seconds, and as much again for a machine that is busy. */
export const PATIENCE_MS = 4_000;

/** An answer that makes its reader try again: in time, 503, in the reader's own shape. */
export function assertAway(t: ExecutionContext, flow: Flow, step: StepName, answer: Sent): void {
  t.true(answer.ms < PATIENCE_MS, `${step}: answered after ${Math.round(answer.ms)} ms`);
  assertUnavailable(t, step, flow.reader(step), answer);
}

export function assertUnavailable(
  t: ExecutionContext,
  what: string,
  reader: 'program' | 'mcp client' | 'person',
  answer: Pick<Sent, 'status' | 'headers' | 'body'>,
): void {
  const { status, headers, body } = answer;
  const shown = `${what}: ${status} ${words(answer as Sent)}`;
  t.is(status, 503, shown);
  t.is(headers.get('retry-after'), '1', shown);
  t.is(headers.get('cache-control'), 'no-store', shown);
  t.is(headers.get('www-authenticate'), null, shown);
  switch (reader) {
    case 'program':
      t.is(body.error, 'temporarily_unavailable', shown);
      t.is(body.request_id, headers.get('x-request-id'), shown);
      break;
    case 'mcp client':
      t.is(body.jsonrpc, '2.0', shown);
      t.is(body.error.data.error, 'temporarily_unavailable', shown);
      t.is(body.error.data.request_id, headers.get('x-request-id'), shown);
      break;
    case 'person':
      t.regex(headers.get('content-type') ?? '', /^text\/html/, shown);
      t.regex(body, /try again|reload/i, shown);
      t.true(body.includes(headers.get('x-request-id')!), shown);
      t.is(headers.get('location'), null, shown);
      t.deepEqual(
        headers.getSetCookie().filter((cookie) => cookie.startsWith('__Secure-')),
        [],
        `${shown}: the browser keeps what ties the request to it`,
      );
  }
  t.notRegex(words(answer as Sent), /redis|127\.0\.0\.1|ECONN|\bat \w+ \(/i);
}

/** Waits until the instance says that it is ready. @returns after how many milliseconds */
export async function untilReady(base: string): Promise<number> {
  const started = performance.now();
  for (;;) {
    const { status } = await fetch(`${base}/readyz`);
    const ms = performance.now() - started;
    if (status === 200) return ms;
    if (ms > 10_000) throw new Error(`${base} is not ready after 10 s`);
    await sleep(20);
  }
}
