import type { Secrets } from '../adapters/secrets.ts';
import type { Entry, Store } from '../adapters/store.ts';
import { audit } from '../audit.ts';
import { isFresh } from '../clock.ts';
import { StoreUnavailable } from '../errors.ts';
import type { Log } from '../log.ts';
import { firstKeys, openKeys, sealKeys, SIGNING_KEYS, type Staged } from './key-record.ts';
import { type KeySet, keySet } from './key-set.ts';
import type { SigningKey } from './stages.ts';

/** The key set of all instances, as this one knows it. */
export interface KeyRing {
  /**
   * The key set in force. The same object as long as nothing has changed.
   * @throws StoreUnavailable while it could not be read for the first time
   */
  current(): KeySet;
  /** Where each key of that set is in its life; none while it could not be read for the first time. */
  stages(): readonly Omit<SigningKey, 'jwk'>[];
  /**
   * Looks at the store now. It is done by itself all the time, so a change anywhere is in force here within a second.
   * @throws StoreUnavailable
   * @throws SealBroken when MASTER_KEYS does not contain the key it was sealed with
   */
  refresh(): Promise<void>;
  /**
   * Looks at the store if that was not done for 800 ms, because the process was held up. A store that is away leaves the
   * set as it is: whoever relies on it asks the store for something else as well.
   * @returns whether it had to look
   */
  freshen(): Promise<boolean>;
  close(): void;
}

/**
 * Reads the key set, or creates it if there is none: two instances starting together agree, because only one of them
 * can write an absent record. A store that is away is no reason not to start; the keys are there soon after it.
 *
 * @param options.keepSchedule asked at every look whether the set is to be changed; answers the set that it made
 * @throws SealBroken when MASTER_KEYS does not contain the key it was sealed with
 */
export async function openKeyRing(options: {
  store: Store;
  secrets: Secrets;
  log: Log;
  now: () => number;
  keepSchedule?: (staged: Staged) => Promise<Staged | undefined>;
}): Promise<KeyRing> {
  const { store, secrets, log, now, keepSchedule } = options;
  let known: { sealed: string; staged: Staged; text: string; keys: KeySet } | undefined;
  let asOf = -Infinity;
  let ownVersion: string | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let told = '';

  async function refresh(): Promise<void> {
    const readAt = now();
    const entry = await storedOrNew();
    if (entry.version !== known?.staged.version) await adopt(entry);
    asOf = readAt;
  }

  async function adopt(entry: Entry): Promise<void> {
    const staged = await openKeys(secrets, entry);
    const text = JSON.stringify(staged.keys);
    // Sealed anew, it is still the same set, and nobody has to forget anything.
    const isSame = known?.text === text;
    const keys = isSame ? known!.keys : keySet(staged.keys);
    // Another instance, or the operator, has changed them.
    if (known && !isSame && entry.version !== ownVersion) {
      audit(log, 'keys.changed', { outcome: 'noticed', kids: [...keys.verification.keys()] });
    }
    known = { sealed: entry.value, staged, text, keys };
  }

  async function storedOrNew(): Promise<Entry> {
    for (;;) {
      const [entry] = await store.read(SIGNING_KEYS);
      if (entry) return entry;
      // A store that lost its records gets back the keys we know: others have fetched them and believe in them.
      const made = known ? undefined : await firstKeys(now());
      const put = known?.sealed ?? (await sealKeys(secrets, made!));
      const written = await store.commit([
        { key: SIGNING_KEYS, expect: 'absent', put, lifetime: 'forever' },
      ]);
      if (!written) continue;
      const kids = made?.map(({ kid }) => kid) ?? [...known!.keys.verification.keys()];
      audit(log, 'keys.changed', { outcome: known ? 'restored' : 'created', kids });
    }
  }

  async function look(): Promise<void> {
    try {
      await refresh();
      const made = known && (await keepSchedule?.(known.staged));
      if (made) {
        ownVersion = made.version;
        await refresh();
      }
      told = '';
    } catch (error) {
      tell(error as Error);
    }
    if (!closed) timer = setTimeout(look, LOOK_EVERY_MS).unref();
  }

  /** An absent store is told of by the requests that need it; keys that can't be opened are told of here, once. */
  function tell(error: Error): void {
    if (error instanceof StoreUnavailable || error.message === told) return;
    told = error.message;
    log.error({ event: 'keys', err: error });
  }

  await refresh().catch((error) => {
    if (!(error instanceof StoreUnavailable)) throw error;
  });
  timer = setTimeout(look, LOOK_EVERY_MS).unref();

  return {
    current() {
      if (!known) throw new StoreUnavailable('the signing keys have not been read yet');
      return known.keys;
    },
    stages: () => known?.staged.keys.map(({ jwk: _, ...stage }) => stage) ?? [],
    refresh,
    async freshen() {
      if (isFresh(asOf, now(), BELIEVED_MS)) return false;
      await refresh().catch(tell);
      return true;
    },
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

/** Together with the time to read it stays below the 800 ms that anything may be believed. */
const LOOK_EVERY_MS = 500;
const BELIEVED_MS = 800;
