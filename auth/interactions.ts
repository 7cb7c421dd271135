import type { Context } from 'koa';
import type { Interaction, InteractionResults, Provider } from 'oidc-provider';
import type { NeonpanelLogin } from '../adapters/neonpanel/neonpanel.ts';
import type { Secrets } from '../adapters/secrets.ts';
import { codeKey, grantKey } from '../adapters/grants.ts';
import { answerInteraction, interactionKey } from '../adapters/oidc-models.ts';
import type { Entry, Store, Write } from '../adapters/store.ts';
import type { Vault } from '../adapters/vault.ts';
import type { Config } from '../config.ts';
import { auditRequest, requestId } from '../http/context.ts';
import { logRefusal, wantsPage } from '../http/errors.ts';
import { answerPage } from '../http/page.ts';
import { WRITE } from '../resource.ts';
import type { ConsentPage, Views } from '../views/render.ts';
import { type Approval, approvalOf } from './approval.ts';
import { isUrlShaped } from './cimd/document-url.ts';
import { clearBinding, readBinding, setBinding } from './binding-cookie.ts';
import { checkConsentSubmission, consentCode } from './csrf.ts';
import { refusal } from './events.ts';
import { readForm, redirect } from './form.ts';
import { INTERACTION_TTL_SECONDS } from './lifetimes.ts';
import { type ClaimedTransaction, createLoginTransactions } from './login-transaction.ts';
import { falselyClaimedApp, verifiedApp } from './known-apps.ts';
import {
  choiceIsMissing,
  type Ending,
  PageRefusal,
  requestIsOver,
  signInFailed,
  unknownClient,
} from './page-refusals.ts';
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
    const client = await drawConsent(ctx, interaction);
    const { params } = interaction;
    auditRequest(ctx, 'consent', {
      outcome: 'shown',
      client_id: client.clientId,
      grant: uid,
      scope: String(params.scope),
    });
  }

  /** @param missing the form came without a decision @returns who asks */
  async function drawConsent(ctx: Context, { uid, params, exp }: Interaction, missing = false) {
    const redirectUri = params.redirect_uri as string;
    const client = await options.provider().Client.find(params.client_id as string);
    if (!client) {
      throw new PageRefusal(unknownClient(redirectUri), 400, {
        code: 'invalid_client',
        description: 'The client is not known any more.',
      });
    }
    const { clientId, clientName } = client;
    const target = redirectTarget(redirectUri);
    const page: ConsentPage = {
      target: target.name,
      targetKind: target.kind,
      verifiedApp: verifiedApp(redirectUri),
      clientName,
      claimedApp: clientName && falselyClaimedApp(clientName, redirectUri, config.brand.name),
      clientHost: isUrlShaped(clientId) ? new URL(clientId).host : undefined,
      offersWrite: String(params.scope).split(' ').includes(WRITE),
      neonpanelHost: new URL(config.neonpanel.url).host,
      accountPlace: new URL(config.publicUrl).host + PATHS.account,
      action: `${PATHS.interaction}/${uid}`,
      csrf: consentCode(ctx, secrets, uid),
      now: now(),
      expiresAt: exp * 1000,
      isMissingChoice: missing ? { supportCode: requestId(ctx) } : undefined,
    };
    answerPage(ctx, (reader) => views.consent(reader, page), { uiLocales: params.ui_locales });
    return client;
  }

  async function decide(ctx: Context, uid: string): Promise<void> {
    const form = await readForm(ctx);
    const code = form.get('csrf') ?? '';
    try {
      checkConsentSubmission(ctx, secrets, { uid, code, ownOrigin: config.publicUrl });
    } catch (error) {
      auditRequest(ctx, 'consent', { outcome: 'refused', grant: uid, ...refusal(error) });
      throw error;
    }
    const interaction = await interactionOf(ctx, uid);

    switch (form.get('decision')) {
      case 'approve': {
        const requested = String(interaction.params.scope);
        const approved = approvalOf(requested, form.getAll('scope'));
        const transaction = await transactions.begin(uid, approved);
        auditDecision(ctx, interaction, 'approved', approved);
        const destination = await neonpanel
          .begin(transaction)
          .catch(signInFailed(`${PATHS.interaction}/${uid}`))
          .catch(loginFailed(ctx, uid, interaction.params.client_id));
        setBinding(ctx, uid, transaction.nonce, now());
        return redirect(ctx, destination.href);
      }
      case 'deny':
        auditDecision(ctx, interaction, 'denied');
        return answer(ctx, uid, denied('the user declined'));
      default:
        return askAgain(ctx, interaction);
    }
  }

  /** The page once more, with what is wrong on top. @throws Refusal 400 for programs */
  async function askAgain(ctx: Context, interaction: Interaction): Promise<void> {
    const problem = choiceIsMissing();
    if (!wantsPage(ctx)) throw problem;
    logRefusal(ctx, problem);
    ctx.status = problem.status;
    await drawConsent(ctx, interaction, true);
  }

  async function callback(ctx: Context): Promise<void> {
    const parameters = new URLSearchParams(ctx.querystring);
    const state = parameters.get('state') ?? '';
    const claimed = await transactions.claim(state, (uid) => readBinding(ctx, uid));
    // A stale state leaves the cookie alone: another tab may be about to finish with it.
    if (typeof claimed === 'string') {
      const over = requestIsOver(claimed, 'no login transaction for this state and browser');
      auditRequest(ctx, 'login', { outcome: 'refused', ...refusal(over) });
      throw over;
    }
    const { uid, clientId: client_id } = claimed;
    clearBinding(ctx, uid);
    if (parameters.get('error') === 'access_denied') {
      auditRequest(ctx, 'login', { outcome: 'denied', client_id, grant: uid });
      return answer(ctx, uid, denied('sign-in at NeonPanel was cancelled'));
    }
    await complete(ctx, parameters, claimed)
      .catch(signInFailed(`${PATHS.interaction}/${uid}`))
      .catch(loginFailed(ctx, uid, client_id));
  }

  /** The state is spent by now: whatever goes wrong from here on leaves a page from which to try again. */
  async function complete(ctx: Context, parameters: URLSearchParams, claimed: ClaimedTransaction) {
    const { uid, state, codeVerifier, approved, clientId: client_id, interaction } = claimed;
    const { subject, credential } = await neonpanel.complete({ parameters, state, codeVerifier });
    // Sealed under the grant to be; until its code is redeemed it lives no longer than the request itself.
    const write = await vault.firstWrite(uid, subject, credential, INTERACTION_TTL_SECONDS);
    const login = { accountId: subject, remember: false };
    const result = { login, consent: { ...approved }, select_account: {} };
    await answer(ctx, uid, result, [write], interaction);
    auditRequest(ctx, 'login', { outcome: 'success', client_id, grant: uid, subject });
  }

  /** The engine takes it from here: a code or an error to the client, with `state` and `iss`. */
  async function answer(
    ctx: Context,
    uid: string,
    result: InteractionResults,
    also: readonly Write[] = [],
    known?: Entry,
  ): Promise<void> {
    const returnTo = await answerInteraction(store, uid, result, also, known);
    if (!returnTo)
      throw requestIsOver('over', 'the interaction is gone, or was answered meanwhile');
    redirect(ctx, returnTo);
  }

  /** The interaction in the address, if this browser started it. */
  async function interactionOf(ctx: Context, uid: string): Promise<Interaction> {
    try {
      const interaction = await options.provider().interactionDetails(ctx.req, ctx.res);
      // Denied is final; the record stays only so that the browser can take the answer to the client.
      if (interaction.uid === uid && !interaction.result?.error) return interaction;
    } catch (error) {
      if ((error as { error?: string }).error !== 'invalid_request') throw error;
    }
    throw requestIsOver(await endingOf(uid), 'no interaction for this address and browser');
  }

  /** Told to whoever knows the address, which nobody can guess: it helps people, and opens nothing. */
  async function endingOf(uid: string): Promise<Ending> {
    const [entry, code, grant] = await store.read(interactionKey(uid), codeKey(uid), grantKey(uid));
    if (code || grant) return 'used';
    if (!entry) return 'expired';
    const { result } = JSON.parse(entry.value) as Pick<Interaction, 'result'>;
    return result?.error ? 'declined' : 'otherBrowser';
  }
}

function auditDecision(
  ctx: Context,
  { uid, params }: Interaction,
  outcome: 'approved' | 'denied',
  approved?: Approval,
): void {
  const scope = approved && `${approved.oidcScope} ${approved.resourceScope}`;
  const client_id = params.client_id as string;
  auditRequest(ctx, 'consent', { outcome, client_id, grant: uid, scope });
}

/** To be given to `catch` where a sign-in at NeonPanel is under way. @throws what it was given */
const loginFailed =
  (ctx: Context, uid: string, client_id: unknown) =>
  (error: unknown): never => {
    const isRefused = ((error as { status?: number }).status ?? 500) < 500;
    auditRequest(ctx, 'login', {
      outcome: isRefused ? 'refused' : 'failed',
      client_id: client_id as string,
      grant: uid,
      ...refusal(error),
    });
    throw error;
  };

const denied = (error_description: string) => ({ error: 'access_denied', error_description });
