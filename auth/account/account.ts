import type { Context } from 'koa';
import { batches } from '../../adapters/batches.ts';
import type { Clients } from '../../adapters/clients.ts';
import type { Connections } from '../../adapters/connections.ts';
import type { GrantEnding } from '../../adapters/grant-ending.ts';
import type { Grants } from '../../adapters/grants.ts';
import type { NeonpanelLogin } from '../../adapters/neonpanel/neonpanel.ts';
import { createOneAtATime } from '../../adapters/one-at-a-time.ts';
import { withoutPatience } from '../../adapters/patience.ts';
import type { RateLimits } from '../../adapters/rate-limits.ts';
import type { Secrets } from '../../adapters/secrets.ts';
import type { Store } from '../../adapters/store.ts';
import type { AuditFacts } from '../../audit.ts';
import type { Config } from '../../config.ts';
import { StoreUnavailable } from '../../errors.ts';
import { auditRequest } from '../../http/context.ts';
import { answerPage } from '../../http/page.ts';
import type { Views } from '../../views/render.ts';
import { consentCode, foreignOrigin } from '../csrf.ts';
import { refusal } from '../events.ts';
import { readForm, redirect } from '../form.ts';
import { ACCOUNT_TTL_SECONDS } from '../lifetimes.ts';
import { accountBusy, accountForged } from '../page-refusals.ts';
import { PATHS } from '../paths.ts';
import { doorAfter, wantedBefore } from './door.ts';
import { createOwnConnections } from './own-connections.ts';
import { type AccountSession, createAccountSessions } from './sessions.ts';
import { createAccountSignIn, SIGN_IN_FORM } from './sign-in.ts';

export interface AccountOptions {
  readonly config: Config;
  readonly store: Store;
  readonly secrets: Secrets;
  readonly grants: Grants;
  readonly clients: Pick<Clients, 'find'>;
  readonly connections: Pick<Connections, 'of' | 'lacksNone'>;
  readonly ending: GrantEnding;
  readonly neonpanel: NeonpanelLogin;
  readonly views: Views;
  readonly limits: RateLimits;
  readonly now: () => number;
}

/** Connections on the page before all are asked for. */
const SHOWN_FIRST = 50;
/** Grants ended side by side. */
const AT_ONCE = 20;

/**
 * The page of connected apps: what a person has allowed, and the way to end it.
 *
 *   signed out ──▶ NeonPanel's login ──▶ list ──▶ confirmation ──▶ list
 *
 * Every step that changes something is a form of ours, answered in the browser and the session that it was shown in. Whose
 * a grant is, the grant says; a connection of somebody else's is treated as one that never was.
 */
export function createAccount(options: AccountOptions) {
  const { config, secrets, views } = options;
  /** For each user: with more connections than are listed, disconnecting all looks at everybody's. */
  const disconnecting = createOneAtATime();
  const sessions = createAccountSessions(options);
  const own = createOwnConnections(options);
  const { signIn, callback } = createAccountSignIn({ ...options, sessions });
  return { show, signIn, callback, signOut, confirm, disconnect };

  async function show(ctx: Context): Promise<void> {
    const session = await sessionOrSignIn(ctx);
    if (!session) return;
    const { alive, ended, isIncomplete } = await own.list(session.subject);
    const isAll = new URLSearchParams(ctx.querystring).get('show') === 'all';
    const shown = isAll ? alive : alive.slice(0, SHOWN_FIRST);
    const page = {
      user: session,
      apps: await own.byApp(shown),
      ended: await own.asEnded(ended),
      shown: shown.length,
      total: alive.length,
      isIncomplete,
      showAllAt: `${PATHS.account}?show=all`,
      disconnectAllAt: PATHS.accountDisconnect,
      signOutAt: PATHS.accountSignOut,
      csrf: sessions.code(session),
    };
    answerPage(ctx, (reader) => views.account(reader, page));
  }

  /** The session; undefined if there is none, and the page to sign in was shown. */
  async function sessionOrSignIn(ctx: Context): Promise<AccountSession | undefined> {
    const session = await sessions.find(ctx);
    if (typeof session === 'object') return session;
    const page = {
      action: PATHS.accountSignIn,
      csrf: consentCode(ctx, secrets, SIGN_IN_FORM),
      neonpanelHost: new URL(config.neonpanel.url).host,
      minutes: ACCOUNT_TTL_SECONDS / 60,
      notice: noticeAt(session, wantedBefore(ctx)),
    };
    answerPage(ctx, (reader) => views.accountSignIn(reader, page));
    return undefined;
  }

  async function signOut(ctx: Context): Promise<void> {
    const audit = (facts: AuditFacts<'account.logout'>) =>
      auditRequest(ctx, 'account.logout', facts);
    const { session } = await submission(ctx, audit);
    if (session) {
      const { subject } = session;
      await sessions.end(ctx).catch(storeAway(audit, { subject }));
      audit({ outcome: 'success', subject });
    }
    redirect(ctx, PATHS.account);
  }

  /** @param grantId one connection; undefined for all */
  async function confirm(ctx: Context, grantId?: string): Promise<void> {
    const session = await sessionOrSignIn(ctx);
    if (!session) return;
    const form = { csrf: sessions.code(session), cancelAt: PATHS.account, action: ctx.path };
    if (grantId === undefined) {
      const { alive, isIncomplete } = await own.list(session.subject);
      if (alive.length === 0) return redirect(ctx, PATHS.account);
      const count = isIncomplete ? undefined : alive.length;
      return answerPage(ctx, (reader) => views.accountConfirmAll(reader, { ...form, count }));
    }
    const grant = await own.find(session.subject, grantId);
    if (!grant) return redirect(ctx, PATHS.account);
    const app = await own.one(grant);
    const { createdAt } = grant;
    answerPage(ctx, (reader) => views.accountConfirm(reader, { ...form, app, createdAt }));
  }

  /** @param grantId one connection; undefined for all */
  async function disconnect(ctx: Context, grantId?: string): Promise<void> {
    const audit = (facts: AuditFacts<'account.disconnect'>) =>
      auditRequest(ctx, 'account.disconnect', { ...facts, grant: grantId });
    const { session } = await submission(ctx, audit);
    if (!session) return redirect(ctx, doorAfter('disconnect'));
    const { subject } = session;
    const done = { subject, count: 0 };
    const endOne = async (id: string) => {
      if (await end(ctx, subject, id)) done.count += 1;
    };
    const ending =
      grantId === undefined
        ? disconnecting.run(subject, () => withoutPatience(() => endAll(subject, endOne)))
        : endOne(grantId);
    await ending.catch(storeAway(audit, done, grantId === undefined));
    audit({ outcome: 'success', ...done });
    redirect(ctx, PATHS.account);
  }

  async function endAll(subject: string, endOne: (grantId: string) => Promise<void>) {
    for await (const batch of batches(own.all(subject), AT_ONCE)) {
      const results = await Promise.allSettled(batch.map(endOne));
      const failed = results.find(({ status }) => status === 'rejected');
      if (failed) throw (failed as PromiseRejectedResult).reason;
    }
    // Whoever has more than can be listed: all of them were looked at.
    await options.connections.lacksNone(subject);
  }

  /** @returns false if there is no such connection of theirs (any more) */
  async function end(ctx: Context, subject: string, grantId: string): Promise<boolean> {
    if (!(await own.find(subject, grantId))) return false;
    const { grant, listed } = await options.ending.end(grantId, 'person');
    if (!grant) return false;
    const { clientId: client_id } = grant;
    auditRequest(ctx, 'grant.ended', {
      outcome: 'disconnected',
      client_id,
      grant: grantId,
      subject,
    });
    // The page that comes next shows it among those that have ended.
    await listed;
    return true;
  }

  /**
   * A form that was shown to somebody signed in.
   * @returns no session if there is none any more: then nothing is done
   * @throws PageRefusal 403 if it did not come from our page in that session, 503 if the store is away
   */
  async function submission(
    ctx: Context,
    audit: (facts: FactsOfRefusal) => void,
  ): Promise<{ session: AccountSession | undefined }> {
    const form = await readForm(ctx);
    const foreign = foreignOrigin(ctx, config.publicUrl);
    const session =
      foreign === undefined ? await sessions.find(ctx).catch(storeAway(audit)) : 'none';
    const known = typeof session === 'object' ? session : undefined;
    const isOwn = !known || sessions.verifies(known, form.get('csrf') ?? '');
    if (foreign === undefined && isOwn) return { session: known };
    const problem = accountForged(foreign ?? 'form code does not match this session');
    const subject = known?.subject;
    audit({ outcome: 'refused', subject, ...refusal(problem) });
    throw problem;
  }
}

type FactsOfRefusal = AuditFacts<'account.logout'> & AuditFacts<'account.disconnect'>;

/**
 * To be given to `catch` where a form of somebody signed in is carried out.
 *
 * @param done what is known of it, and was done so far
 * @param isPartly some of it may have been done
 * @throws PageRefusal 503 if the store is away, else what it was given
 */
const storeAway =
  (audit: (facts: FactsOfRefusal) => void, done: object = {}, isPartly = false) =>
  (error: unknown): never => {
    const told = error instanceof StoreUnavailable ? accountBusy(error, isPartly) : error;
    audit({ outcome: 'failed', ...done, ...refusal(told) });
    throw told;
  };

/** What the door says to somebody who had been inside. */
function noticeAt(session: 'none' | 'over', wanted: ReturnType<typeof wantedBefore>) {
  if (wanted === 'disconnect') return 'nothingDone' as const;
  if (session === 'over') return 'over' as const;
  return wanted && ('tooLate' as const);
}
