import type { Dispatcher } from 'undici';

/** Its largest real answers have some hundred kilobytes; what is read is checked and written in one piece. */
const MAX_BODY_BYTES = 1024 * 1024;
const MAX_ERROR_BODY_BYTES = 64 * 1024;
/**
 * Elements and members of an answer. Checking and writing them takes some microseconds each, in one piece; and no model reads
 * as much as this.
 */
export const MAX_ANSWER_VALUES = 15_000;
/** After a longer text than this was parsed, others get their turn. */
export const LONG_TEXT = 64 * 1024;

/**
 * The body as text, capped. An answer with a content encoding is refused: we asked for none, and unpacking is where
 * a small body becomes a large one.
 */
export async function textOf(raw: Dispatcher.ResponseData): Promise<string> {
  const cap = raw.statusCode < 300 ? MAX_BODY_BYTES : MAX_ERROR_BODY_BYTES;
  const encoding = String(raw.headers['content-encoding'] ?? 'identity').toLowerCase();
  const readable = encoding === 'identity';
  if (!readable || Number(raw.headers['content-length'] ?? 0) > MAX_BODY_BYTES) {
    abandon(raw);
    throw new Unreadable(readable ? 'body too large' : 'content encoding not asked for');
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of raw.body as AsyncIterable<Buffer>) {
    size += chunk.byteLength;
    if (size > cap) {
      if (cap === MAX_ERROR_BODY_BYTES) break; // the start of an error page is all anybody reads
      throw new Unreadable('body too large');
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Closes the socket instead of reading on; undici reports that as an error of the stream, which nobody awaits. */
function abandon(raw: Dispatcher.ResponseData): void {
  raw.body.on('error', () => {});
  raw.body.destroy();
}

/** An answer that was refused for its form. Repeating the request would bring the same. */
export class Unreadable extends Error {}
