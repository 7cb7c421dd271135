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

/** Somebody signs in here, for the page of connected apps, and not for an app. */
export type ClaimedAccountLogin = Pick<ClaimedTransaction, 'uid' | 'state' | 'codeVerifier'>;

interface LoginRecord {
  readonly stateHash: string;
  readonly nonceHash: string;
  /** Sealed { codeVerifier }. */
  readonly sealed: string;
  /** Undefined if it is for no app. */
  readonly approved?: Approval | undefined;
}

/** Ids of transactions that are for no app; those of interactions are random. */
const ACCOUNT = 'account-';

/** Whether a callback is that of a sign-in for the page of connected apps, by its state. */
export const isAccountState = (state: string): boolean => state.startsWith(ACCOUNT);

export function createLoginTransactions(options: { store: Store; secrets: Secrets }) {
  const { store, secrets } = options;
  return {
    /** @returns also its id, which names the cookie. @throws StoreUnavailable */
    async beginAccount(): Promise<LoginTransaction & { uid: string }> {
      const uid = ACCOUNT + randomText();
      return { uid, ...(await begin(uid, undefined)) };
    },

    /** Like `claim`, of a callback whose state is for the page of connected apps. */
    async claimAccount(
      state: string,
      nonceOf: (uid: string) => string | undefined,
    ): Promise<ClaimedAccountLogin | Ending> {
      const claimed = await take(state, nonceOf);
      if (typeof claimed === 'string') return claimed;
      return claimed.approved ? 'over' : claimed;
    },

    /** Starts over if the user approves again: the older state is then worth nothing. @throws StoreUnavailable */
    begin: (uid: string, approved: Approval): Promise<LoginTransaction> => begin(uid, approved),

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
      const claimed = await take(state, nonceOf);
      if (typeof claimed === 'string') return claimed;
      const { interaction, approved, ...rest } = claimed;
      if (!interaction || !approved) return 'expired';
      const { params } = JSON.parse(interaction.value) as { params: { client_id: string } };
      return { ...rest, clientId: params.client_id, approved, interaction };
    },
  };

  async function begin(uid: string, approved: Approval | undefined): Promise<LoginTransaction> {
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
  }

  async function take(state: string, nonceOf: (uid: string) => string | undefined) {
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
    const kept = (await openIfPossible(secrets, record.sealed, context(uid))) as
      { codeVerifier: string } | undefined;
    if (!kept) return 'over';
    const { approved } = record;
    return { uid, state, codeVerifier: kept.codeVerifier, approved, interaction };
  }
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
