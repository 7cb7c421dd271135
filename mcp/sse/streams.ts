import type { Context } from 'koa';
import { reportRefusal, tooManyRequests } from '../../adapters/limit-refusals.ts';
import { withPatience } from '../../adapters/patience.ts';
import { Refusal } from '../../errors.ts';
import { requestLog } from '../../http/context.ts';
import type { Caller } from '../caller.ts';
import { type Credentials, GrantEnded } from '../credentials.ts';
import type { StreamLimits } from './limits.ts';
import { openStream, type Stream } from './stream.ts';

/** The open streams of this instance, within their limits. */
export type Streams = ReturnType<typeof createStreams>;

export function createStreams(options: { credentials: Credentials; limits: StreamLimits }) {
  const { credentials, limits } = options;
  const streams = new Map<string, Stream>();
  let isStopping = false;

  return {
    /**
     * Answers a GET with a stream.
     * @throws Refusal 429 above the limits of the grant or the client, 503 above that of the instance
     */
    open(ctx: Context, owner: Caller): void {
      assertRoom(owner);
      const log = requestLog(ctx);
      const started = performance.now();
      ctx.respond = false;
      const stream = openStream(ctx.res, {
        owner,
        maxUnderWay: limits.underWay,
        onEnd(reason) {
          clearInterval(timer);
          streams.delete(stream.id);
          log.info({ event: 'stream', reason, grant: owner.grantId });
        },
      });
      const timer = setInterval(() => {
        if (performance.now() - started >= limits.lifetimeMs) return stream.end('lifetime');
        stream.beat();
        void endWithGrant(stream);
      }, limits.beatMs).unref();
      streams.set(stream.id, stream);
    },

    /** @returns undefined for a stream that is held elsewhere, has ended, or belongs to another user or client */
    find(id: string, caller: Caller): Stream | undefined {
      const stream = streams.get(id);
      return stream?.isOpen() && isOwner(stream.owner, caller) ? stream : undefined;
    },

    send(stream: Stream, json: string): void {
      if (stream.waiting() > 0 && isTooSlow(stream)) return stream.end('slow_reader');
      stream.send(json);
    },

    openCount: () => streams.size,

    /** Ends every stream, those that owe an answer when they have given it, and opens no more. */
    stop(): void {
      isStopping = true;
      for (const stream of streams.values()) stream.leave();
    },
  };

  function assertRoom(owner: Caller): void {
    if (isStopping) throw full('This server is about to stop.', 1);
    if (streams.size >= limits.inAll) {
      reportRefusal('streams');
      throw full('No more streams can be opened.', 30);
    }
    const owners = [...streams.values()].map((stream) => stream.owner);
    const ofGrant = owners.filter(({ grantId }) => grantId === owner.grantId).length;
    const ofClient = owners.filter(({ clientId }) => clientId === owner.clientId).length;
    if (ofGrant < limits.perGrant && ofClient < limits.perClient) return;
    const description = 'Too many streams are open. Close one, or use the address /mcp.';
    throw tooManyRequests('streams', 30, description);
  }

  function isTooSlow(stream: Stream): boolean {
    if (stream.waiting() > limits.backlogBytes) return true;
    const inAll = streams.values().reduce((sum, one) => sum + one.waiting(), 0);
    return inAll > limits.backlogBytesInAll;
  }

  /** A stream without a POST is told by nobody that its grant has ended. A store that is away says nothing about it. */
  async function endWithGrant(stream: Stream): Promise<void> {
    try {
      await withPatience(() => credentials.assertAlive(stream.owner));
    } catch (error) {
      if (error instanceof GrantEnded) stream.end('grant');
    }
  }
}

const isOwner = (owner: Caller, caller: Caller): boolean =>
  owner.accountId === caller.accountId && owner.clientId === caller.clientId;

const full = (description: string, retryAfterSeconds: number) =>
  new Refusal('temporarily_unavailable', 503, description, { retryAfterSeconds });
