import { legacyStatelessFallback } from '@modelcontextprotocol/server';
import type { Context } from 'koa';
import { requestId, requestLog } from '../../http/context.ts';
import { ACCEPT_ALL, asWanted } from '../answers.ts';
import type { Bearer } from '../bearer.ts';
import { type JsonRpcMessage, requestIds } from '../body.ts';
import { messagesIn } from '../event-stream.ts';
import { authInfoFor, type Exchange, exchangeOf, type LendServer } from '../exchange.ts';
import { cancelledId } from '../odd-messages.ts';
import type { Call, Stream } from './stream.ts';
import type { Streams } from './streams.ts';

/** A POST that is settled: whose it is, what it says, and the stream that it may use. */
export interface Delivery {
  readonly bearer: Extract<Bearer, { kind: 'caller' }>;
  readonly body: unknown;
  readonly messages: readonly JsonRpcMessage[];
  readonly deadline: number;
  readonly stream: Stream;
}

/**
 * Serves a POST by the stateless transport that serves /mcp for clients of that time, each with a server of its own, and
 * puts the messages of its answer on a stream.
 *
 * @returns a function that gives the answer to the POST itself: 202, or what the transport refused
 */
export function createDelivery(options: {
  lend: LendServer;
  streams: Streams;
  resourceMetadataUrl: string;
}) {
  const { lend, streams, resourceMetadataUrl } = options;
  const transport = asWanted({
    fetch: legacyStatelessFallback(({ authInfo }) => exchangeOf(authInfo).loan.take('legacy')),
  });

  return async function deliver(ctx: Context, delivery: Delivery): Promise<Response> {
    const { bearer, body, messages, deadline, stream } = delivery;
    for (const message of messages) stream.cancel(cancelledId(message));
    const call: Call = { ids: requestIds(messages), gone: new AbortController() };
    stream.begin(call);
    const loan = lend();
    const exchange: Exchange = {
      caller: bearer.caller,
      loan,
      deadline,
      signal: call.gone.signal,
      requestId: requestId(ctx),
      log: requestLog(ctx),
    };
    const over = async () => {
      stream.finish(call);
      await loan.giveBack();
    };
    let passing: Promise<void> | undefined;
    try {
      const authInfo = authInfoFor(bearer, exchange, resourceMetadataUrl);
      const answer = await transport.fetch(requestFor(ctx, call), { authInfo, parsedBody: body });
      if (answer.headers.get('content-type') !== 'text/event-stream') return answer;
      passing = pass(answer.body!, stream, exchange).finally(over);
      return new Response(null, { status: 202 });
    } finally {
      if (!passing) await over();
    }
  };

  /** Until there is no more, or nobody wants it. */
  async function pass(
    body: ReadableStream<Uint8Array>,
    stream: Stream,
    { signal, log }: Exchange,
  ): Promise<void> {
    try {
      for await (const json of messagesIn(body)) {
        if (signal.aborted) return;
        streams.send(stream, json);
      }
    } catch (err) {
      if (!signal.aborted) log.error({ event: 'stream.broken', err });
    }
  }
}

/** What the transport looks at. */
function requestFor(ctx: Context, { gone }: Call): Request {
  const version = ctx.get('MCP-Protocol-Version');
  return new Request(ctx.href, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: ACCEPT_ALL,
      ...(version && { 'mcp-protocol-version': version }),
    },
    signal: gone.signal,
  });
}
