import { setTimeout as pause } from 'node:timers/promises';
import type { Grant } from './grants.ts';
import { recordsOf } from './records.ts';
import {
  type Beside,
  SEALED_KINDS,
  type SealedKind,
  sealedKindOf,
  sealedPart,
  withSealedPart,
} from './sealed-kinds.ts';
import { masterKeyOf, openIfPossible, type Secrets } from './secrets.ts';
import type { Key, Store, Write } from './store.ts';

/**
 * All that depends on a master key, counted and sealed anew while the instances run. It goes slowly, a few records at a
 * time, so that nobody who waits for the store notices.
 */
const BATCH = 50;
const PAUSE_MS = 20;
const SLOWLY = { size: BATCH, rest: () => pause(PAUSE_MS) };

export interface VaultCount {
  /** By public name of the master key, by name of the kind. */
  readonly sealed: ReadonlyMap<string, ReadonlyMap<string, number>>;
  /** Connections by the master key that their refresh token was made with; `undefined`: made by an older version. */
  readonly refreshTokens: ReadonlyMap<string | undefined, number>;
}

/** @throws StoreUnavailable */
export async function countVault(store: Store): Promise<VaultCount> {
  const sealed = new Map<string, Map<string, number>>();
  for await (const { kind, part } of sealedRecords(store)) {
    const id = masterKeyOf(part) ?? 'damaged';
    const byKind = sealed.get(id) ?? new Map<string, number>();
    sealed.set(id, byKind.set(kind.name, (byKind.get(kind.name) ?? 0) + 1));
  }
  const refreshTokens = new Map<string | undefined, number>();
  for await (const { entry } of recordsOf(store, 'grant', SLOWLY)) {
    const { generation, masterKey } = JSON.parse(entry.value) as Grant;
    if (generation === undefined) continue;
    refreshTokens.set(masterKey, (refreshTokens.get(masterKey) ?? 0) + 1);
  }
  return { sealed, refreshTokens };
}

/** What became of a record: `left` ends by itself, `busy` is about to be written by somebody else. */
export type Outcome = 'resealed' | 'fresh' | 'busy' | 'left' | 'unreadable';

/**
 * Seals every record anew that is not sealed under the first master key. A record that an instance writes meanwhile, or
 * is about to write, is never overwritten: it is tried again a moment later. Lifetimes stay as they are. May be
 * interrupted and begun again at any time.
 *
 * @param onProgress called after every batch with the number of records looked at so far
 * @returns how many records there were of each outcome, by the name of their kind
 * @throws StoreUnavailable
 */
export async function resealVault(options: {
  store: Store;
  secrets: Secrets;
  now: () => number;
  onProgress: (looked: number) => void;
}): Promise<ReadonlyMap<Outcome, ReadonlyMap<string, number>>> {
  const outcomes = new Map<Outcome, Map<string, number>>();
  const tell = (outcome: Outcome, { name }: SealedKind) => {
    const byKind = outcomes.get(outcome) ?? new Map<string, number>();
    outcomes.set(outcome, byKind.set(name, (byKind.get(name) ?? 0) + 1));
  };
  let looked = 0;
  let busy: { key: Key; kind: SealedKind }[] = [];
  for await (const { key, kind, part } of sealedRecords(options.store)) {
    const outcome = isFresh(options.secrets, part) ? 'fresh' : await reseal(options, key, kind);
    if (outcome === 'busy') busy.push({ key, kind });
    else tell(outcome, kind);
    if (++looked % BATCH === 0) options.onProgress(looked);
  }
  for (let tries = 0; tries < BUSY_TRIES && busy.length > 0; tries++) {
    await pause(BUSY_PAUSE_MS);
    const still: typeof busy = [];
    for (const each of busy) {
      const outcome = await reseal(options, each.key, each.kind);
      if (outcome === 'busy') still.push(each);
      else tell(outcome, each.kind);
    }
    busy = still;
  }
  for (const { kind } of busy) tell('busy', kind);
  options.onProgress(looked);
  return outcomes;
}

/** Longer than somebody renews a credential. */
const BUSY_TRIES = 5;
const BUSY_PAUSE_MS = 1_000;

const isFresh = (secrets: Secrets, part: string): boolean =>
  masterKeyOf(part) === secrets.masterKeyIds[0];

async function reseal(
  { store, secrets, now }: { store: Store; secrets: Secrets; now: () => number },
  key: Key,
  kind: SealedKind,
): Promise<Outcome> {
  if (kind.endsWithinSeconds !== undefined) return 'left';
  const besideKeys = kind.beside.map((beside) => ({ tag: key.tag, kind: beside }));
  const [entry, ...found] = await store.read(key, ...besideKeys);
  const part = entry && sealedPart(kind, entry.value);
  if (!part || isFresh(secrets, part)) return 'fresh';
  const beside = Object.fromEntries(kind.beside.map((name, i) => [name, found[i]?.value]));
  const opened = await open(secrets, kind, { tag: key.tag, part, beside });
  if (!opened) return 'unreadable';
  const { content, context } = opened;
  if (kind.isUnderWay?.(content, now())) return 'busy';
  const put = withSealedPart(kind, entry.value, await secrets.seal(content, context));
  const writes: Write[] = [{ key, expect: { version: entry.version }, put, lifetime: 'keep' }];
  if (kind.busyWhile) {
    // Removes nothing: it makes the commit fail while somebody is at work, who holds the version that we replace.
    const lease = { tag: key.tag, kind: kind.busyWhile };
    writes.push({ key: lease, expect: 'absent', remove: true });
  }
  return (await store.commit(writes)) === undefined ? 'busy' : 'resealed';
}

async function open(
  secrets: Secrets,
  kind: SealedKind,
  { tag, part, beside }: { tag: string; part: string; beside: Beside },
) {
  for (const context of kind.contexts(tag, beside)) {
    const content = await openIfPossible(secrets, part, context);
    if (content !== undefined) return { content, context };
  }
  return undefined;
}

/** Every record in which something is sealed. */
async function* sealedRecords(
  store: Store,
): AsyncGenerator<{ key: Key; kind: SealedKind; part: string }> {
  for (const name of new Set(SEALED_KINDS.map(({ kind }) => kind))) {
    for await (const { key, entry } of recordsOf(store, name, SLOWLY)) {
      const kind = sealedKindOf(key);
      const part = kind && sealedPart(kind, entry.value);
      if (kind && part !== undefined) yield { key, kind, part };
    }
  }
}
