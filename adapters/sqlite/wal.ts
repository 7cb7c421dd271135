import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/**
 * A look at SQLite's write-ahead log from outside, to tell a whole one from a torn one. SQLite itself drops a torn end
 * without a word, which is right, but somebody should hear of it.
 *
 * Format: sqlite.org/fileformat2.html §4. Opening this file directly is safe; locks live on the other two.
 */

export const PAGE_BYTES = 4096;
const HEAD_BYTES = 32;
const FRAME_HEAD_BYTES = 24;
const FRAME_BYTES = FRAME_HEAD_BYTES + PAGE_BYTES;
const SALT_BYTES = 8;

export interface LogEnd {
  /** It holds at least one frame. */
  readonly used: boolean;
  /** Frames of its present generation, after which comes nothing or what an earlier generation left. */
  readonly frames: number;
  /** The last transaction has no end: it was being written, or the file was cut. */
  readonly torn: boolean;
}

/** @returns undefined if there is no log file */
export function endOfLog(path: string): LogEnd | undefined {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return readEnd(file, fstatSync(file).size);
  } finally {
    closeSync(file);
  }
}

function readEnd(file: number, bytes: number): LogEnd {
  const head = bytesAt(file, 0, HEAD_BYTES);
  const salt = head.subarray(16, 16 + SALT_BYTES);
  let frames = 0;
  let committed = 0;
  let position = HEAD_BYTES;
  for (; position + FRAME_BYTES <= bytes; position += FRAME_BYTES) {
    const frame = bytesAt(file, position, FRAME_HEAD_BYTES);
    // Each time the log starts over it takes a new salt: this frame is from before.
    if (!frame.subarray(8, 8 + SALT_BYTES).equals(salt)) {
      return { used: true, frames, torn: frames > committed };
    }
    frames++;
    // The frame that ends a transaction carries the size of the database.
    if (frame.readUInt32BE(4) !== 0) committed = frames;
  }
  const remainder = bytes > 0 && position !== bytes;
  return { used: bytes >= HEAD_BYTES + FRAME_BYTES, frames, torn: remainder || frames > committed };
}

function bytesAt(file: number, position: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  readSync(file, buffer, 0, length, position);
  return buffer;
}
