import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { openSqliteStore } from '../../adapters/sqlite/sqlite.ts';
import { createLog } from '../../log.ts';
import { lastOfHistory } from './sqlite-history.ts';
import { child, copyStore, PARTS, temporaryFolder } from './sqlite-support.ts';

/**
 * Files that were cut or written over. Opening one either gives the records as they were after some commit, and says
 * so if the newest are missing, or fails with one line and leaves the files alone. It never gives anything else.
 */

const ENTRIES = 40;
const PAGE = 4096;
const FRAME = PAGE + 24;
const LOG_HEAD = 32;

/** States a process can leave behind, each with all of the history committed. */
const STATES = {
  close: 'closed cleanly',
  die: 'killed, all commits in the log',
  dieCopied: 'killed, all commits in both files',
  dieStartedOver: 'killed, some commits in the main file and some in the log',
  dieCopiedAgain: 'killed, all commits in the main file and some in the log',
} as const;

for (const [state, description] of Object.entries(STATES)) {
  test(`[X31] sqlite: cut at any byte (${description})`, async (t) => {
    const { path, copy } = await storeLeft(t, state);
    t.is((await outcome(path)).last, ENTRIES - 1, 'whole, nothing is missing');

    for (const part of ['', '-wal'] as const) {
      if (!existsSync(copy.from + part)) continue;
      const { size } = statSync(copy.from + part);
      await fc.assert(
        fc.asyncProperty(cutArbitrary(part, size), async (offset) => {
          copy.fresh();
          truncateSync(path + part, offset);
          checkCut({ state, part, offset, size }, await outcome(path));
        }),
        { numRuns: 250, includeErrorInReport: true },
      );
    }
  });

  test(`[X31] sqlite: written over anywhere (${description})`, async (t) => {
    const { path, copy } = await storeLeft(t, state);
    for (const part of ['', '-wal'] as const) {
      if (!existsSync(copy.from + part)) continue;
      const bytes = readFileSync(copy.from + part);
      const place = fc.nat({ max: bytes.length - 1 });
      const noise = fc.uint8Array({ minLength: 1, maxLength: 200 });
      await fc.assert(
        fc.asyncProperty(place, noise, async (offset, overwrite) => {
          copy.fresh();
          const damaged = Buffer.from(bytes);
          damaged.set(overwrite.subarray(0, bytes.length - offset), offset);
          writeFileSync(path + part, damaged);
          // The records are right, or it does not open. A damaged log gives what was committed before the damage.
          const { last, refusal } = await outcome(path);
          if (refusal === undefined && part === '' && last !== ENTRIES - 1) {
            throw new Error(`only ${last} is left`);
          }
        }),
        { numRuns: 150, includeErrorInReport: true },
      );
    }
    t.pass();
  });
}

test('[X31] sqlite: old pages of a cut log are not laid over newer ones', async (t) => {
  const { path, copy } = await storeLeft(t, 'dieCounting', 5);
  let refused = 0;
  for (let frames = 0; frames < 40; frames++) {
    copy.fresh();
    truncateSync(`${path}-wal`, LOG_HEAD + frames * FRAME);
    try {
      const store = await openSqliteStore({ path, log: createLog('silent') });
      const counts = (
        await store.read({ tag: 'counting', kind: 'n100' }, { tag: 'counting', kind: 'n299' })
      ).map((entry) => parseInt(entry!.value));
      await store.close();
      t.true(counts[0] === counts[1] || counts[0] === counts[1]! + 1, `${frames}: ${counts}`);
    } catch (error) {
      t.regex((error as Error).message, /-wal file was cut short/);
      refused++;
    }
  }
  t.true(refused > 0);
});

test('[X31] sqlite: a log that was taken away is missed', async (t) => {
  const { path, copy } = await storeLeft(t, 'dieStartedOver');
  copy.fresh();
  truncateSync(`${path}-wal`, 0);
  const { last, reports } = await outcome(path);
  t.is(last, ENTRIES - 7);
  t.regex(reports.join(), /-wal file is missing/);
});

for (const size of [1, 100, 4096, 50_000]) {
  test(`[X28] sqlite: ${size} random bytes are refused and left alone`, async (t) => {
    const folder = temporaryFolder({ flushed: false });
    t.teardown(folder.remove);
    const path = `${folder.path}/store.db`;
    writeFileSync(path, randomBytes(size));
    t.regex((await outcome(path)).refusal ?? 'none', /damaged/);
  });
}

async function storeLeft(t: ExecutionContext, state: string, entries = ENTRIES) {
  const folder = temporaryFolder({ flushed: false });
  t.teardown(folder.remove);
  const from = `${folder.path}/original.db`;
  await child(state, from, entries).ended();
  const path = `${folder.path}/store.db`;
  const copy = { from, fresh: () => copyStore(from, path) };
  copy.fresh();
  return { path, copy };
}

/** Any byte, and often the places where something ends. */
function cutArbitrary(part: '' | '-wal', size: number): fc.Arbitrary<number> {
  const [head, unit] = part === '' ? [0, PAGE] : [LOG_HEAD, FRAME];
  const edge = fc
    .tuple(fc.nat({ max: Math.floor((size - head) / unit) }), fc.integer({ min: -1, max: 1 }))
    .map(([units, off]) => Math.min(Math.max(head + units * unit + off, 0), size - 1));
  return fc.oneof(fc.nat({ max: size - 1 }), edge, fc.constantFrom(0, 1));
}

interface Cut {
  readonly state: string;
  readonly part: '' | '-wal';
  readonly offset: number;
  readonly size: number;
}

function checkCut({ state, part, offset }: Cut, { last, refusal, reports }: Outcome): void {
  if (refusal !== undefined) return;
  // What was in the main file alone is nowhere else.
  if (part === '' && state === 'close') throw new Error('the loss went unnoticed');
  if (part === '' && last !== ENTRIES - 1) throw new Error(`only ${last} is left`);
  if (part === '') return;
  if (last < 0 && reports.length === 0) throw new Error('it started empty without a word');
  const frameCut = (offset - LOG_HEAD) % FRAME !== 0;
  // Where the log had started over, the frame that was cut may be one of those nobody needs any more.
  const needed = state === 'die' || state === 'dieCopied' || offset < LOG_HEAD + FRAME;
  if (frameCut && needed && reports.length === 0) throw new Error('a torn log went unreported');
}

interface Outcome {
  /** The last entry of the history that is there, with all before it. */
  readonly last: number;
  /** Why it did not open. */
  readonly refusal?: string;
  /** What was logged as a warning. */
  readonly reports: readonly string[];
}

/** @throws Error if the records are no state the store was ever in, or if a refused store was changed */
async function outcome(path: string): Promise<Outcome> {
  const reports: string[] = [];
  const before = fingerprint(path);
  try {
    const log = createLog('warn', { write: (line) => reports.push(line) });
    const store = await openSqliteStore({ path, log });
    const last = await lastOfHistory(store);
    await store.close();
    return { last, reports };
  } catch (error) {
    const refusal = (error as Error).message;
    if (!refusal.startsWith(`Cannot open the store ${path}: `)) throw error;
    if (/\n/.test(refusal)) throw new Error('more than one line', { cause: error });
    if (fingerprint(path) !== before) throw new Error('a refused store was changed');
    return { last: NaN, refusal, reports };
  }
}

/** -shm is left out: it holds no data and is made anew. An empty -wal is as good as none. */
function fingerprint(path: string): string {
  const hash = createHash('sha256');
  for (const part of PARTS.slice(0, 2)) {
    hash.update(existsSync(path + part) ? readFileSync(path + part) : '');
  }
  return hash.digest('hex');
}
