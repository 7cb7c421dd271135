import type { IncomingHttpHeaders } from 'node:http';
import type { Clock } from '../clock.ts';
import type { Ctx, Next } from './types.ts';

export type RecordedRequest = {
  at: number;
  method: string;
  /** Path with query, as it came. */
  path: string;
  headers: IncomingHttpHeaders;
  /** The first 64 kB as text. */
  body: string;
};

export type Recorder = {
  requests(): RecordedRequest[];
  clear(): void;
  middleware(ctx: Ctx, next: Next): Promise<void>;
};

const requestsMax = 1_000;
const bodyBytesMax = 65_536;

/** Remembers the latest requests, the sandbox's own switches excepted. */
export function createRecorder(now: Clock): Recorder {
  let recorded: RecordedRequest[] = [];
  return {
    requests: () => [...recorded],
    clear: () => void (recorded = []),
    async middleware(ctx, next) {
      if (!ctx.path.startsWith('/_sandbox')) {
        recorded.push({
          at: now(),
          method: ctx.method,
          path: ctx.url,
          headers: ctx.headers,
          body: ctx.state.body.subarray(0, bodyBytesMax).toString('utf8'),
        });
        if (recorded.length > requestsMax) recorded.shift();
      }
      await next();
    },
  };
}
