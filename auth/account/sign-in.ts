import type { Context } from 'koa';
import type { GrantEnding } from '../../adapters/grant-ending.ts';
import type { NeonpanelLogin } from '../../adapters/neonpanel/neonpanel.ts';
import { type RateLimits, takeTurnAmongAll } from '../../adapters/rate-limits.ts';
import type { Secrets } from '../../adapters/secrets.ts';
import type { Store } from '../../adapters/store.ts';
import type { Config } from '../../config.ts';
import { addressOf } from '../../http/address.ts';
import { auditRequest } from '../../http/context.ts';
import { clearBinding, readBinding, setBinding } from '../binding-cookie.ts';
import { foreignOrigin, hasConsentCookie, submissionProblem } from '../csrf.ts';
import { refusal } from '../events.ts';
import { readForm, redirect } from '../form.ts';
import { createLoginTransactions } from '../login-transaction.ts';
import { accountForged, accountOver, notSignedIn, signInFailed } from '../page-refusals.ts';
import { PATHS } from '../paths.ts';
import { doorAfter } from './door.ts';
import type { AccountSessions } from './sessions.ts';

/** What the code in the form to sign in is made for, in the place of an interaction. */
export const SIGN_IN_FORM = 'account';

/**
 * Signing in to the page of connected apps, at NeonPanel. The way there and back is a login transaction like that of a
 * connection, bound to the browser that pressed the button. NeonPanel's token says who it is, and is then given back:
 * nothing is ever done with it.
 */
export function createAccountSignIn(options: {
  config: Config;
  store: Store;
  secrets: Secrets;
  ending: Pick<GrantEnding, 'discard'>;
  neonpanel: NeonpanelLogin;
  limits: RateLimits;
  sessions: AccountSessions;
  now: () => number;
}) {
  const { config, secrets, ending, neonpanel, limits, sessions, now } = options;
  const transactions = createLoginTransactions(options);

  function takeTurn(ctx: Context): void {
    try {
      takeTurnAmongAll([limits.account, limits.account_all], addressOf(ctx));
    } catch (error) {
      throw told(ctx, error);
    }
  }

  return {
    async signIn(ctx: Context): Promise<void> {
      const code = (await readForm(ctx)).get('csrf') ?? '';
      const form = { uid: SIGN_IN_FORM, code, ownOrigin: config.publicUrl };
      const problem = submissionProblem(ctx, secrets, form);
      if (problem !== undefined) {
        const refused = told(ctx, accountForged(problem));
        // A page of ours that was left open for long, or a browser that keeps no cookies: no harm in asking again.
        const isOld = !foreignOrigin(ctx, config.publicUrl) && !hasConsentCookie(ctx, secrets);
        if (isOld) return redirect(ctx, doorAfter('sign-in'));
        throw refused;
      }
      takeTurn(ctx);
      const { uid, ...transaction } = await transactions
        .beginAccount()
        .catch(failed)
        .catch(tell(ctx));
      const destination = await neonpanel.begin(transaction).catch(failed).catch(tell(ctx));
      setBinding(ctx, uid, transaction.nonce, now());
      redirect(ctx, destination.href);
    },

    /** Where NeonPanel sends the browser back to, if its state says that it was for this page. */
    async callback(ctx: Context): Promise<void> {
      const parameters = new URLSearchParams(ctx.querystring);
      const state = parameters.get('state') ?? '';
      const claimed = await transactions
        .claimAccount(state, (uid) => readBinding(ctx, uid))
        .catch(failed)
        .catch(tell(ctx));
      if (typeof claimed === 'string') throw told(ctx, accountOver(claimed));
      clearBinding(ctx, claimed.uid);
      if (parameters.get('error') === 'access_denied') {
        auditRequest(ctx, 'account.login', { outcome: 'denied' });
        throw notSignedIn();
      }
      const { subject, credential, companies } = await neonpanel
        .identify({ parameters, ...claimed })
        .catch(failed)
        .catch(tell(ctx));
      ending.discard(subject, credential);
      await sessions.start(ctx, { subject, companies }).catch(failed).catch(tell(ctx));
      auditRequest(ctx, 'account.login', { outcome: 'success', subject });
      redirect(ctx, PATHS.account);
    },
  };
}

const failed = signInFailed(PATHS.account, 'accountAway');

/** Writes the line of a sign-in that came to nothing. @returns what it was given */
function told<E>(ctx: Context, error: E): E {
  const isRefused = ((error as { status?: number }).status ?? 500) < 500;
  const outcome = isRefused ? 'refused' : 'failed';
  auditRequest(ctx, 'account.login', { outcome, ...refusal(error) });
  return error;
}

const tell =
  (ctx: Context) =>
  (error: unknown): never => {
    throw told(ctx, error);
  };
