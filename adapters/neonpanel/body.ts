import type { Dispatcher } from 'undici';
import { type AnswerAccount, SMALL_ANSWER_BYTES } from './answer-room.ts';

/** Its largest real answers have some hundred kilobytes; what is read is checked and written in one piece. */
export const MAX_BODY_BYTES = 1024 * 1024;
export const MAX_ERROR_BODY_BYTES = 64 * 1024;
/**
 * Elements and members of an answer. Checking and writing them takes some microseconds each, in one piece; and no model reads
 * as much as this.
 */
export const MAX_ANSWER_VALUES = 15_000;
/** After a longer text than this was parsed, others get their turn. */
export const LONG_TEXT = 64 * 1024;

/**
 * The body as text, capped. An answer with a content encoding is refused: we asked for none, and unpacking is where
 * a small body becomes a large one. Of an error only the start is read, and none of it in an encoding.
 *
 * @param account where the answer gets its room
 * @param signal ends the wait for it
 * @throws Unreadable, TooMuchAtOnce
 */
export async function textOf(
  raw: Dispatcher.ResponseData,
  account: AnswerAccount,
  signal: AbortSignal,
): Promise<string> {
  const isError = raw.statusCode >= 300;
  const cap = isError ? MAX_ERROR_BODY_BYTES : MAX_BODY_BYTES;
  const encoding = String(raw.headers['content-encoding'] ?? 'identity').toLowerCase();
  const readable = encoding === 'identity';
  const announced = Number(raw.headers['content-length'] ?? MAX_BODY_BYTES);
  if (!readable || (announced > MAX_BODY_BYTES && !isError)) {
    abandon(raw);
    // What an error is, its status says, whatever else is wrong with it.
    if (isError) return '';
    throw new Unreadable(readable ? 'body too large' : 'content encoding not asked for');
  }
  const chunks: Buffer[] = [];
  let size = 0;
  let settle: ((bytes: number) => void) | undefined;
  try {
    for await (const chunk of raw.body as AsyncIterable<Buffer>) {
      size += chunk.byteLength;
      if (size > cap) {
        if (isError) break; // the start of an error page is all anybody reads
        throw new Unreadable('body too large');
      }
      // Nothing more is read meanwhile, so it waits at NeonPanel.
      if (size > SMALL_ANSWER_BYTES) settle ??= await account.reserve(announced, signal);
      chunks.push(chunk);
    }
    const text = Buffer.concat(chunks).toString('utf8');
    if (settle) settle(size);
    else await account.add(size, signal);
    settle = undefined;
    return text;
  } finally {
    settle?.(0);
  }
}

/** Closes the socket instead of reading on; undici reports that as an error of the stream, which nobody awaits. */
function abandon(raw: Dispatcher.ResponseData): void {
  raw.body.on('error', () => {});
  raw.body.destroy();
}

/** An answer that was refused for its form. Repeating the request would bring the same. */
export class Unreadable extends Error {}
