import type { Context } from 'koa';
import type { Interaction, Provider } from 'oidc-provider';
import type { NeonpanelCredential, NeonpanelLogin } from '../adapters/neonpanel/neonpanel.ts';
import type { Secrets } from '../adapters/secrets.ts';
import type { Store } from '../adapters/store.ts';
import type { Vault } from '../adapters/vault.ts';
import type { Config } from '../config.ts';
import { OAUTH_BODY_LIMIT_BYTES, readText } from '../http/body.ts';
import { requestLog } from '../http/context.ts';
import { pageHeaders } from '../http/headers.ts';
import { WRITE } from '../resource.ts';
import type { Views } from '../views/render.ts';
import { approvalOf } from './approval.ts';
import { clearBinding, readBinding, setBinding } from './binding-cookie.ts';
import { checkConsentSubmission, consentCode } from './csrf.ts';
import { INTERACTION_TTL_SECONDS } from './lifetimes.ts';
import { createLoginTransactions } from './login-transaction.ts';
import { choiceIsMissing, requestIsOver, signInFailed } from './page-refusals.ts';
import { PATHS } from './paths.ts';
import { redirectTarget } from './redirect-uri.ts';

export interface InteractionOptions {
  readonly config: Config;
  readonly store: Store;
  readonly secrets: Secrets;
  readonly vault: Vault;
  readonly neonpanel: NeonpanelLogin;
  readonly views: Views;
  readonly provider: () => Provider;
  readonly now: () => number;
}

/**
 * The part of an authorization that people see:
 *
 *   authorize ─▶ consent page ─approve─▶ NeonPanel's login ─▶ callback ─▶ (engine resumes) ─▶ client
 *                     └─────────deny──────────────────────────────────────▶┘
 *
 * Consent comes before NeonPanel, on every request: otherwise a client registered by anyone could ride a browser that
 * is signed in there (the confused deputy). The callback accepts only the browser that approved.
 */
export function createInteractions(options: InteractionOptions) {
  const { config, store, secrets, vault, neonpanel, views, now } = options;
  const transactions = createLoginTransactions({ store, secrets });
  return { showConsent, decide, callback };

  async function showConsent(ctx: Context, uid: string): Promise<void> {
    const interaction = await interactionOf(ctx, uid);
    const { params } = interaction;
    const client = await options.provider().Client.find(params.client_id as string);
    if (!client) throw requestIsOver('the client is gone');
    const target = redirectTarget(params.redirect_uri as string);
    pageHeaders(ctx);
    ctx.type = 'html';
    ctx.body = views.consent({
      target: target.name,
      targetKind: target.kind,
      clientName: client.clientName,
      offersWrite: String(params.scope).split(' ').includes(WRITE),
      neonpanelHost: new URL(config.neonpanel.url).host,
      action: `${PATHS.interaction}/${uid}`,
      csrf: consentCode(ctx, secrets, uid),
      expiresAt: new Date(interaction.exp * 1000).toISOString().slice(11, 16) + ' UTC',
    });
  }

  async function decide(ctx: Context, uid: string): Promise<void> {
    const form = new URLSearchParams(await readText(ctx, OAUTH_BODY_LIMIT_BYTES));
    const code = form.get('csrf') ?? '';
    checkConsentSubmission(ctx, secrets, { uid, code, ownOrigin: config.publicUrl });
    const interaction = await interactionOf(ctx, uid);

    switch (form.get('decision')) {
      case 'approve': {
        const requested = String(interaction.params.scope);
        const approved = approvalOf(requested, form.getAll('scope'));
        const transaction = await transactions.begin(uid, approved);
        const destination = await neonpanel.begin(transaction).catch(signInFailed(uid));
        setBinding(ctx, uid, transaction.nonce, now());
        logDecision(ctx, interaction, 'approve');
        return redirect(ctx, destination.href);
      }
      case 'deny':
        logDecision(ctx, interaction, 'deny');
        return finish(ctx, interaction, denied('the user declined'));
      default:
        throw choiceIsMissing(uid);
    }
  }

  async function callback(ctx: Context): Promise<void> {
    const parameters = new URLSearchParams(ctx.querystring);
    const state = parameters.get('state') ?? '';
    const claimed = await transactions.claim(state, (uid) => readBinding(ctx, uid));
    // A stale state leaves the cookie alone: another tab may be about to finish with it.
    if (!claimed) throw requestIsOver('no login transaction for this state and browser');
    clearBinding(ctx, claimed.uid);
    const interaction = await options.provider().Interaction.find(claimed.uid);
    if (!interaction) throw requestIsOver('the interaction has expired');

    if (parameters.get('error') === 'access_denied') {
      return finish(ctx, interaction, denied('sign-in at NeonPanel was cancelled'));
    }
    const { codeVerifier } = claimed;
    const { subject, credential } = await neonpanel
      .complete({ parameters, state, codeVerifier })
      .catch(signInFailed(claimed.uid));
    await storeCredential(claimed.uid, subject, credential);
    requestLog(ctx).info({ event: 'login', client_id: interaction.params.client_id, sub: subject });
    return finish(ctx, interaction, {
      login: { accountId: subject, remember: false },
      consent: { ...claimed.approved },
      select_account: {},
    });
  }

  /** Sealed under the grant to be; until its code is redeemed it lives no longer than the request itself. */
  async function storeCredential(
    uid: string,
    subject: string,
    credential: NeonpanelCredential,
  ): Promise<void> {
    const lifetime = INTERACTION_TTL_SECONDS;
    await store.commit([await vault.firstWrite(uid, subject, credential, lifetime)]);
  }

  /** The engine takes it from here: a code or an error to the client, with `state` and `iss`. */
  async function finish(ctx: Context, interaction: Interaction, result: Interaction['result']) {
    interaction.result = result!;
    // `exp` is the engine's, which reads the real clock.
    await interaction.save(Math.max(1, interaction.exp - Math.floor(Date.now() / 1000)));
    redirect(ctx, interaction.returnTo);
  }

  /** The interaction in the address, if this browser started it. */
  async function interactionOf(ctx: Context, uid: string): Promise<Interaction> {
    try {
      const interaction = await options.provider().interactionDetails(ctx.req, ctx.res);
      if (interaction.uid === uid) return interaction;
    } catch (error) {
      if ((error as { error?: string }).error !== 'invalid_request') throw error;
    }
    throw requestIsOver('no interaction for this address and browser');
  }
}

function logDecision(ctx: Context, interaction: Interaction, decision: string): void {
  const { client_id } = interaction.params;
  requestLog(ctx).info({ event: 'consent', decision, client_id });
}

const denied = (error_description: string) => ({ error: 'access_denied', error_description });

/** 303: the browser must not send the form, or a code, on to where it is sent. */
function redirect(ctx: Context, to: string): void {
  ctx.status = 303;
  ctx.set('Cache-Control', 'no-store');
  ctx.redirect(to);
  ctx.body = '';
}
