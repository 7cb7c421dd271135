import type { Key, Lifetime, Write } from './store.ts';

/**
 * Limits every caller of a store has to keep. Breaking one is a mistake in the program, not a state of the world, so
 * they are plain errors and not refusals.
 */

/** No braces, no blanks, no control characters: the parts of a key can be joined in any backend without quoting. */
const KEY_PART = /^[\w.:~-]{1,300}$/;
const MAX_VALUE_BYTES = 256 * 1024;
const MAX_WRITES = 100;

/** @throws TypeError for a tag or kind of the wrong form */
export function checkKey(key: Key): void {
  if (!KEY_PART.test(key.tag) || !KEY_PART.test(key.kind)) {
    throw new TypeError(`bad store key ${JSON.stringify(key).slice(0, 200)}`);
  }
}

/** @throws TypeError or RangeError for writes no store may be asked for */
export function checkWrites(writes: readonly Write[]): void {
  if (writes.length > MAX_WRITES) throw new RangeError(`${writes.length} writes in one commit`);
  const kinds = new Set<string>();
  for (const write of writes) {
    checkKey(write.key);
    if (write.key.tag !== writes[0]?.key.tag) {
      throw new TypeError(`one commit over two tags, at ${write.key.kind}`);
    }
    // Twice the same record: would the second see what the first wrote? Nobody needs the answer.
    if (kinds.has(write.key.kind)) throw new TypeError(`${write.key.kind} twice in one commit`);
    kinds.add(write.key.kind);
    if ('put' in write) checkValue(write.key, write.put);
    if ('put' in write) checkLifetime(write.lifetime);
    if ('touch' in write) checkLifetime(write.touch);
  }
}

function checkValue(key: Key, value: string): void {
  if (Buffer.byteLength(value) > MAX_VALUE_BYTES) {
    throw new RangeError(`${key.kind} is longer than ${MAX_VALUE_BYTES} bytes`);
  }
  // A lone surrogate has no UTF-8 form: it would come back as U+FFFD.
  if (!value.isWellFormed()) throw new TypeError(`${key.kind} is not well-formed Unicode`);
}

/** Zero and less is allowed: a remaining time that has just run out makes a record that is gone at once. */
function checkLifetime(lifetime: Lifetime): void {
  if (typeof lifetime === 'number' && !Number.isFinite(lifetime)) {
    throw new RangeError(`a lifetime of ${lifetime} seconds`);
  }
}
