import { randomBytes } from 'node:crypto';
import type { Context } from 'koa';
import { sealContext } from '../../adapters/sealed-kinds.ts';
import { digest, openIfPossible, type Secrets } from '../../adapters/secrets.ts';
import type { Key, Store } from '../../adapters/store.ts';
import { isFresh } from '../../clock.ts';
import { setHostCookie } from '../../http/cookies.ts';
import { ACCOUNT_COOKIE_SECONDS, ACCOUNT_TTL_SECONDS } from '../lifetimes.ts';

/**
 * Who is signed in to the page of connected apps. A session lives half an hour from signing in, however it is used, and
 * opens nothing but that page: no app is connected by it. Its id is new at every sign-in, chosen here, and known to the
 * browser alone; the store holds a hash of it, and what it says is sealed.
 */
export interface AccountSession {
  /** The secret in the cookie. */
  readonly id: string;
  /** NeonPanel's subject. */
  readonly subject: string;
  /** Names of companies of theirs, up to ten. */
  readonly companies: readonly string[];
}

type Stored = Omit<AccountSession, 'id'> & { readonly startedAt: number };

const COOKIE = '__Host-neonpanel-account';
const ID = /^[\w-]{43}$/;

export function createAccountSessions(options: {
  store: Store;
  secrets: Secrets;
  now: () => number;
}) {
  const { store, secrets, now } = options;
  return {
    /** Takes the place of any session that the browser holds. @throws StoreUnavailable */
    async start(ctx: Context, who: Omit<AccountSession, 'id'>): Promise<void> {
      await remove(ctx);
      const id = randomBytes(32).toString('base64url');
      const key = keyOf(id);
      const stored: Stored = { ...who, startedAt: now() };
      const put = await secrets.seal(stored, sealContext.accountSession(key.tag));
      await store.commit([{ key, expect: 'absent', put, lifetime: ACCOUNT_TTL_SECONDS }]);
      setHostCookie(ctx, COOKIE, id, ACCOUNT_COOKIE_SECONDS);
    },

    /** @returns `over` if the browser holds one that is no more, or never was. @throws StoreUnavailable */
    async find(ctx: Context): Promise<AccountSession | 'none' | 'over'> {
      const id = idIn(ctx);
      if (id === undefined) return 'none';
      const key = keyOf(id);
      const [entry] = await store.read(key);
      const context = sealContext.accountSession(key.tag);
      const stored = entry && (await openIfPossible(secrets, entry.value, context));
      if (!stored) return 'over';
      const { startedAt, ...who } = stored as Stored;
      return isFresh(startedAt, now(), ACCOUNT_TTL_SECONDS * 1000) ? { id, ...who } : 'over';
    },

    /** @throws StoreUnavailable */
    async end(ctx: Context): Promise<void> {
      await remove(ctx);
      setHostCookie(ctx, COOKIE, '', 0);
    },

    /** The hidden value of its forms: of this session, and worth nothing to anybody who does not hold it. */
    code: ({ id }: AccountSession): string => secrets.mac('account', id),
    verifies: ({ id }: AccountSession, code: string): boolean =>
      secrets.verifyMac('account', id, code),
  };

  async function remove(ctx: Context): Promise<void> {
    const id = idIn(ctx);
    if (id !== undefined) await store.commit([{ key: keyOf(id), expect: 'any', remove: true }]);
  }
}

export type AccountSessions = ReturnType<typeof createAccountSessions>;

function idIn(ctx: Context): string | undefined {
  const held = ctx.cookies.get(COOKIE, { signed: false });
  return held !== undefined && ID.test(held) ? held : undefined;
}

const keyOf = (id: string): Key => ({ tag: digest(id), kind: 'account-session' });
