import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { Context } from 'koa';
import { Refusal } from '../errors.ts';

/** Bodies of OAuth requests; the largest real one is a registration of a few kilobytes. */
export const OAUTH_BODY_LIMIT_BYTES = 56 * 1024;

/** How long the rest of a refused body is read. */
const LINGER_MS = 1_000;

/**
 * Reads a request body as text.
 *
 * @param limit bytes; a declared length above it is refused without reading
 * @throws Refusal 413 above the limit, 400 if the client gave up in the middle
 */
export async function readText(ctx: Context, limit: number): Promise<string> {
  refuseOversize(ctx, limit);
  const bytes = await bytesFrom(ctx.req, limit);
  if (bytes === undefined) {
    ctx.req.resume();
    throw tooLarge(ctx, limit);
  }
  return bytes.toString('utf8');
}

/**
 * By its events: an iterator over a stream costs more than all the rest of reading a small body.
 *
 * @returns undefined if it is more than so many bytes; the rest of it is still to be read
 */
function bytesFrom(stream: Readable, limit: number): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let received = 0;
    const take = (chunk: Buffer) => {
      received += chunk.length;
      if (received > limit) over(() => resolve(undefined));
      else chunks.push(chunk);
    };
    const end = () => over(() => resolve(chunks.length === 1 ? chunks[0] : Buffer.concat(chunks)));
    const giveUp = (cause?: Error) =>
      over(() =>
        reject(
          new Refusal('invalid_request', 400, 'The request body could not be read.', { cause }),
        ),
      );
    const over = (settle: () => void) => {
      stream.off('data', take).off('end', end).off('close', giveUp);
      settle();
    };
    // That of errors stays: what comes after a refused body must not end the process.
    stream.on('data', take).on('end', end).on('close', giveUp).on('error', giveUp);
    if (stream.destroyed) giveUp();
  });
}

/** @throws Refusal 413 if the declared length is above the limit */
export function refuseOversize(ctx: Context, limit: number): void {
  if (Number(ctx.req.headers['content-length'] ?? 0) > limit) throw tooLarge(ctx, limit);
}

function tooLarge(ctx: Context, limit: number): Refusal {
  closeAfterAnswer(ctx);
  return new Refusal('invalid_request', 413, `The request body must not exceed ${limit} bytes.`);
}

/**
 * Ends the connection with the answer. Closing it in the middle of a body would reset it, and the client would never
 * see the answer: the rest is read and thrown away for a moment.
 */
export function closeAfterAnswer(ctx: Context): void {
  const { socket } = ctx.req;
  ctx.set('Connection', 'close');
  // What Node calls when the last answer of a connection is written.
  socket.destroySoon = () => {
    socket.end();
    setTimeout(() => socket.destroy(), LINGER_MS).unref();
  };
}

/**
 * Puts a body in the place of the one that was read, so that the engine reads it as if it had come over the wire.
 * Everything else of the request stays as it is.
 */
export function replayBody(ctx: Context, body: string): void {
  const { headers, method, url, socket, httpVersion } = ctx.req;
  const bytes = Buffer.from(body);
  headers['content-length'] = String(bytes.length);
  delete headers['transfer-encoding'];
  ctx.req = Object.assign(Readable.from([bytes], { objectMode: false }), {
    headers,
    method,
    url,
    socket,
    httpVersion,
  }) as unknown as IncomingMessage;
}
