import { randomBytes } from 'node:crypto';
import { sealContext } from '../adapters/sealed-kinds.ts';
import { digest, isSame, openIfPossible, type Secrets } from '../adapters/secrets.ts';
import { isGrantId } from '../adapters/grants.ts';
import { interactionKey } from '../adapters/oidc-models.ts';
import type { Entry, Key, Store } from '../adapters/store.ts';
import type { Approval } from './approval.ts';
import { LOGIN_TTL_SECONDS } from './lifetimes.ts';
import type { Ending } from './page-refusals.ts';

/**
 * The login transaction: the way from our consent page through NeonPanel's login and back.
 *
 *   approved ──begin()──▶ waiting ──claim()──▶ claimed
 *
 * It is written only after the user approved, and bound to three things: the interaction it belongs to (its key), the
 * `state` that travels through NeonPanel (stored as a hash), and a nonce in a cookie that this browser was given at the
 * moment of approval (stored as a hash). A callback that fails one of them destroys the transaction: a login finished
 * in another browser never completes this one's request.
 */
export interface LoginTransaction {
  /** Sent through NeonPanel and back. */
  readonly state: string;
  /** Kept by the browser that approved. */
  readonly nonce: string;
  /** RFC 7636, for our own request to NeonPanel. */
  readonly codeVerifier: string;
}

export interface ClaimedTransaction {
  readonly uid: string;
  /** Whose request it is. */
  readonly clientId: string;
  readonly state: string;
  readonly codeVerifier: string;
  readonly approved: Approval;
  /** The interaction, as it was at that moment. */
  readonly interaction: Entry;
}

interface LoginRecord {
  readonly stateHash: string;
  readonly nonceHash: string;
  /** Sealed { codeVerifier }. */
  readonly sealed: string;
  readonly approved: Approval;
}

export function createLoginTransactions(options: { store: Store; secrets: Secrets }) {
  const { store, secrets } = options;
  return {
    /** Starts over if the user approves again: the older state is then worth nothing. @throws StoreUnavailable */
    async begin(uid: string, approved: Approval): Promise<LoginTransaction> {
      const state = `${uid}.${randomText()}`;
      const nonce = randomText();
      const codeVerifier = randomText();
      const record: LoginRecord = {
        stateHash: digest(state),
        nonceHash: digest(nonce),
        sealed: await secrets.seal({ codeVerifier }, context(uid)),
        approved,
      };
      const put = JSON.stringify(record);
      await store.commit([{ key: loginKey(uid), expect: 'any', put, lifetime: LOGIN_TTL_SECONDS }]);
      return { state, nonce, codeVerifier };
    },

    /**
     * Takes the transaction of a callback, once.
     * @param nonceOf the binding nonce this browser holds for an interaction, if any
     * @returns why not, if there is none (any more), if it belongs to another browser (it is gone then), or if the
     * request it was for is over
     */
    async claim(
      state: string,
      nonceOf: (uid: string) => string | undefined,
    ): Promise<ClaimedTransaction | Ending> {
      const uid = uidOf(state);
      if (!uid) return 'over';
      const [entry, interaction] = await store.read(loginKey(uid), interactionKey(uid));
      if (!entry) return 'expired';
      if (entry.value === CLAIMED) return 'used';
      const record = JSON.parse(entry.value) as LoginRecord;
      // A guessed state must not destroy anything: only the real one is worth a look at the cookie.
      if (!isSame(record.stateHash, digest(state))) return 'used';
      const nonce = nonceOf(uid);
      const claimed = await store.commit([
        { key: loginKey(uid), expect: { version: entry.version }, put: CLAIMED, lifetime: 'keep' },
      ]);
      if (!claimed) return 'used';
      if (nonce === undefined || !isSame(record.nonceHash, digest(nonce))) return 'otherBrowser';
      if (!interaction) return 'expired';
      const { approved } = record;
      const kept = (await openIfPossible(secrets, record.sealed, context(uid))) as
        { codeVerifier: string } | undefined;
      if (!kept) return 'over';
      const { params } = JSON.parse(interaction.value) as { params: { client_id: string } };
      const { codeVerifier } = kept;
      return { uid, clientId: params.client_id, state, codeVerifier, approved, interaction };
    },
  };
}

/** The interaction a state belongs to; undefined if it is not one of our states. */
function uidOf(state: string): string | undefined {
  const [uid = '', random, ...rest] = state.split('.');
  return random && rest.length === 0 && isGrantId(uid) ? uid : undefined;
}

const loginKey = (uid: string): Key => ({ tag: uid, kind: 'login' });
const context = sealContext.login;
const CLAIMED = 'claimed';
const randomText = () => randomBytes(32).toString('base64url');
