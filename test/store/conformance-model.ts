import fc from 'fast-check';
import type { Expectation, Key, Lifetime, Store, Write } from '../../adapters/store.ts';
import type { Check } from './conformance.ts';

/**
 * The store against the simplest thing it could be: a Map. Random histories of reads, commits and passing time over
 * few records and two connections must look the same on both.
 */

interface ModelEntry {
  readonly value: string;
  readonly version: string;
  /** Seconds on the history's own clock. */
  readonly expiresAt: number;
}

/** An expectation before it is known which version is current. */
type Expected = 'absent' | 'any' | 'current' | 'former' | 'foreign';
type Change = { put: string; lifetime: Lifetime } | { touch: Lifetime } | { remove: true };
type Step =
  | { pass: number }
  | { read: number[]; by: 0 | 1 }
  | { commit: { kind: number; expected: Expected; change: Change }[]; by: 0 | 1 };

const KINDS = 4;
const RUNS = 500;

export function model(check: Check): void {
  check('agrees with a Map over random histories', async (t, bench) => {
    const stores = [bench.store, await bench.second()];
    let history = 0;
    await fc.assert(
      fc.asyncProperty(historyArbitrary(bench.clockInjected), async (steps) => {
        // Each history has records of its own; all of them share the store.
        const tag = `history${history++}`;
        const key = (kind: number): Key => ({ ...bench.key(`kind${kind}`, tag) });
        await replay(steps, stores, key, bench.pass);
      }),
      { numRuns: RUNS },
    );
    t.pass();
  });
}

async function replay(
  steps: readonly Step[],
  stores: readonly Store[],
  key: (kind: number) => Key,
  pass: (seconds: number) => Promise<void>,
): Promise<void> {
  const records = new Map<number, ModelEntry>();
  const former = new Map<number, string>();
  const versions = new Set<string>();
  let time = 0;

  const live = (kind: number): ModelEntry | undefined => {
    const entry = records.get(kind);
    return entry && entry.expiresAt > time ? entry : undefined;
  };
  const compare = async (kinds: readonly number[], by: number): Promise<void> => {
    const found = await stores[by]!.read(...kinds.map(key));
    const expected = kinds.map((kind) => {
      const entry = live(kind);
      return entry && { value: entry.value, version: entry.version };
    });
    if (JSON.stringify(found.map(plain)) !== JSON.stringify(expected.map(plain))) {
      throw new Error(`read ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`);
    }
  };

  for (const step of steps) {
    if ('pass' in step) {
      await pass(step.pass);
      time += step.pass;
    } else if ('read' in step) {
      await compare(step.read, step.by);
    } else {
      const writes = step.commit.map(({ kind, expected, change }): Write => {
        const expect = resolve(expected, live(kind)?.version, former.get(kind));
        return { key: key(kind), expect, ...change };
      });
      const version = await stores[step.by]!.commit(writes);
      const holds = writes.every((write, i) => isMet(write, live(step.commit[i]!.kind)));
      if (holds !== (version !== undefined)) {
        throw new Error(`commit gave ${version}, expected ${holds ? 'success' : 'refusal'}`);
      }
      if (version) {
        if (versions.has(version)) throw new Error(`version ${version} came twice`);
        versions.add(version);
        for (const { kind, change } of step.commit) {
          const old = live(kind);
          if (old) former.set(kind, old.version);
          applyTo(records, kind, change, old, version, time);
        }
      }
      await compare([...Array(KINDS).keys()], 1 - step.by);
    }
  }
}

function resolve(expected: Expected, current?: string, former?: string): Expectation {
  if (expected === 'absent' || expected === 'any') return expected;
  const version = { current, former, foreign: undefined }[expected];
  return { version: version ?? 'neverwasthisone_' };
}

function isMet(write: Write, old: ModelEntry | undefined): boolean {
  if ('put' in write && write.lifetime === 'keep' && !old) return false;
  if (write.expect === 'any') return true;
  return write.expect === 'absent' ? !old : old?.version === write.expect.version;
}

function applyTo(
  records: Map<number, ModelEntry>,
  kind: number,
  change: Change,
  old: ModelEntry | undefined,
  version: string,
  time: number,
): void {
  const until = (lifetime: Lifetime): number => {
    if (lifetime === 'keep') return old!.expiresAt;
    return lifetime === 'forever' ? Infinity : time + lifetime;
  };
  if ('remove' in change) records.delete(kind);
  else if ('put' in change) {
    records.set(kind, { value: change.put, version, expiresAt: until(change.lifetime) });
  } else if (old) records.set(kind, { ...old, expiresAt: until(change.touch) });
}

const plain = (entry: { value: string; version: string } | undefined) =>
  entry ? [entry.value, entry.version] : null;

/** By a real clock nothing may depend on when exactly a record expires: lifetimes are long or over. */
function historyArbitrary(clockInjected: boolean): fc.Arbitrary<Step[]> {
  const seconds = clockInjected ? fc.integer({ min: 0, max: 5 }) : fc.constantFrom(0, 1_000);
  const lifetime = fc.oneof(seconds, fc.constantFrom('keep' as const, 'forever' as const));
  const kind = fc.nat({ max: KINDS - 1 });
  const by = fc.constantFrom(0 as const, 1 as const);
  const expected = fc.constantFrom<Expected>(
    'absent',
    'any',
    'any',
    'current',
    'former',
    'foreign',
  );
  const change = fc.oneof(
    { weight: 4, arbitrary: fc.record({ put: fc.string({ unit: 'binary' }), lifetime }) },
    { weight: 2, arbitrary: fc.record({ touch: lifetime }) },
    { weight: 1, arbitrary: fc.record({ remove: fc.constant(true as const) }) },
  );
  const commit = fc.record({
    commit: fc.uniqueArray(fc.record({ kind, expected, change }), {
      selector: (write) => write.kind,
      minLength: 1,
      maxLength: 3,
    }),
    by,
  });
  const read = fc.record({ read: fc.array(kind, { maxLength: 6 }), by });
  const pass = fc.record({ pass: fc.integer({ min: 1, max: 4 }) });
  return fc.array(
    fc.oneof(
      { weight: 6, arbitrary: commit },
      { weight: 1, arbitrary: read },
      ...(clockInjected ? [{ weight: 2, arbitrary: pass }] : []),
    ),
    { maxLength: 25 },
  );
}
