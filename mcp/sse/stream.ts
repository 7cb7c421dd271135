import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { tooManyRequests } from '../../adapters/limit-refusals.ts';
import type { Caller } from '../caller.ts';
import { messageEvent } from '../event-stream.ts';

/** Why a stream has ended, for the log. */
export type EndReason = 'client' | 'grant' | 'lifetime' | 'slow_reader' | 'stopping';

/** One POST whose answer is still to come over the stream. */
export interface Call {
  /** JSON-RPC ids of the requests in it. */
  readonly ids: readonly unknown[];
  readonly gone: AbortController;
}

/** The rest of what was written gets this long when a stream ends. */
const FLUSH_MS = 2_000;
/** `no-transform`: a proxy that compresses would hold messages back. */
const HEADERS = {
  'Content-Type': 'text/event-stream',
  'Cache-Control': 'no-store, no-transform',
  'X-Accel-Buffering': 'no',
};

export type Stream = ReturnType<typeof openStream>;

/**
 * An open event stream of HTTP+SSE (MCP 2024-11-05): what is written to it is the `endpoint` event, JSON-RPC messages and
 * comments, nothing else, whatever happens. It knows whose it is, and nobody acts as its owner: every POST brings its own
 * token.
 *
 * @param options.maxUnderWay see `StreamLimits`
 */
export function openStream(
  res: ServerResponse,
  options: { owner: Caller; maxUnderWay: number; onEnd: (reason: EndReason) => void },
) {
  const id = randomUUID();
  const calls = new Set<Call>();
  let reason: EndReason | undefined;
  let isLeaving = false;
  let waitingAtBeat = 0;

  // A stream is silent for long, and its beat looks after slow readers.
  res.setTimeout(0);
  res.writeHead(200, HEADERS);
  res.write(`event: endpoint\ndata: /messages?sessionId=${id}\n\n`);
  // A peer that resets the connection; `close` follows.
  res.on('error', () => {});
  res.once('close', () => {
    for (const { gone } of calls) gone.abort();
    options.onEnd(reason ?? 'client');
  });

  const stream = {
    id,
    owner: options.owner,
    isOpen: () => reason === undefined,
    /** Bytes that the reader has not taken. */
    waiting: () => res.writableLength,

    /** @param json one JSON-RPC message, without line breaks */
    send(json: string): void {
      if (stream.isOpen()) res.write(messageEvent(json));
    },

    /** A comment, so that nobody on the way takes the stream for dead. Ends it if its reader took nothing since the last. */
    beat(): void {
      const waiting = res.writableLength;
      if (waiting > 0 && waitingAtBeat > 0 && waiting >= waitingAtBeat) {
        return stream.end('slow_reader');
      }
      waitingAtBeat = waiting;
      if (stream.isOpen()) res.write(': keep-alive\n\n');
    },

    /** @throws Refusal 429 while too many are under way */
    begin(call: Call): void {
      const underWay = calls.values().reduce((sum, { ids }) => sum + ids.length, call.ids.length);
      if (underWay > options.maxUnderWay) {
        const description = `No more than ${options.maxUnderWay} messages of a stream are worked on at a time.`;
        throw tooManyRequests('stream_messages', 1, description);
      }
      calls.add(call);
    },

    finish(call: Call): void {
      calls.delete(call);
      if (isLeaving && calls.size === 0) stream.end('stopping');
    },

    /** `notifications/cancelled`: nobody waits for this answer any more. Of a batch no single request is given up. */
    cancel(requestId: unknown): void {
      for (const { ids, gone } of calls) {
        if (ids.length === 1 && ids[0] === requestId) gone.abort();
      }
    },

    /** Ends as soon as what is under way has been answered. */
    leave(): void {
      isLeaving = true;
      if (calls.size === 0) stream.end('stopping');
    },

    end(why: EndReason): void {
      if (reason !== undefined) return;
      reason = why;
      if (why === 'slow_reader') return void res.destroy();
      res.end();
      setTimeout(() => res.destroy(), FLUSH_MS).unref();
    },
  };
  return stream;
}
