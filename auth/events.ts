import type { Context } from 'koa';
import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { AuditFacts } from '../audit.ts';
import { Refusal } from '../errors.ts';
import { auditRequest, requestLog } from '../http/context.ts';

/**
 * One line of the audit log for what the engine did with a request: who, what, outcome, and the distinct cause of a
 * refusal, which the answer on the wire keeps vague.
 */

/** Authorization requests, which begin in one HTTP request and end in another. */
export function logEvents(provider: Provider): void {
  provider.on('interaction.started', (ctx) => authorization(ctx, 'started'));
  provider.on('authorization.success', (ctx) => authorization(ctx, 'success'));
  provider.on('authorization.error', (ctx, error) =>
    authorization(ctx, isOurs(error) ? 'failed' : 'refused', error),
  );
  provider.on('server_error', (ctx, error) => {
    requestLog(ctx).error({ event: 'server_error', err: error });
    if (ENDPOINT_ROUTES.has(ctx.oidc?.route)) remember(ctx, error);
    else authorization(ctx, 'failed', error);
  });
  provider.on('grant.error', remember);
  provider.on('registration_create.error', remember);
  provider.on('revocation.error', remember);
  provider.on('introspection.error', remember);
}

const ENDPOINT_ROUTES = new Set(['token', 'registration', 'revocation', 'introspection']);

/** The engine renders a Refusal of ours, but knows nothing of its Retry-After. */
export function adviseRetry(provider: Provider): void {
  const advise = (ctx: KoaContextWithOIDC, error: unknown) => {
    const seconds = error instanceof Refusal ? error.retryAfterSeconds : undefined;
    if (seconds !== undefined) ctx.set('Retry-After', String(seconds));
  };
  provider.on('authorization.error', advise);
  provider.on('grant.error', advise);
  provider.on('introspection.error', advise);
  provider.on('revocation.error', advise);
}

/** The engine answers its errors itself; the line about them is written when the request is over. */
function remember(ctx: Context, error: unknown): void {
  ctx.state.engineError = error;
}

function authorization(
  ctx: KoaContextWithOIDC,
  outcome: AuditFacts<'authorization'>['outcome'],
  error?: unknown,
): void {
  const { client, params, entities } = ctx.oidc ?? {};
  auditRequest(ctx, 'authorization', {
    outcome,
    client_id: client?.clientId ?? unknownClient(params?.client_id),
    grant: entities?.Interaction?.uid,
    ...(error !== undefined && refusal(error)),
  });
}

/** Endpoints whose requests have exactly one line each, whatever becomes of them. */
type Audited = 'token' | 'registration' | 'revocation' | 'introspection';

/**
 * Serves a request and writes its line.
 *
 * @param outcomeOf what it came to if it was not refused
 */
export async function audited<E extends Audited>(
  ctx: Context,
  event: E,
  serve: (ctx: Context) => Promise<unknown>,
  outcomeOf: () => AuditFacts<E>['outcome'],
): Promise<void> {
  try {
    await serve(ctx);
  } catch (error) {
    remember(ctx, error);
    throw error;
  } finally {
    const error: unknown = ctx.state.engineError;
    const outcome = error === undefined ? outcomeOf() : isOurs(error) ? 'failed' : 'refused';
    const facts = {
      ...FACTS[event](ctx),
      ...known(ctx),
      ...(error !== undefined && refusal(error)),
    };
    auditRequest(ctx, event, { outcome, ...facts } as AuditFacts<E>);
  }
}

/** What a request turned out to be about, once it is certain: for its line. */
export function note(ctx: Context, facts: { grant?: string; subject?: string }): void {
  ctx.state.noted = { ...(ctx.state.noted as object | undefined), ...facts };
}

const known = (ctx: Context) => ctx.state.noted as object | undefined;

const FACTS: { [E in Audited]: (ctx: Context) => Partial<AuditFacts<E>> } = {
  token: (ctx) => ({
    client_id: clientId(ctx),
    grant_type: text(oidc(ctx)?.params?.grant_type),
    scope: oidc(ctx)?.entities?.AccessToken?.scope,
  }),
  registration(ctx) {
    const client = oidc(ctx)?.entities?.Client;
    return {
      client_id: client?.clientId,
      client_name: client?.clientName,
      redirect_uris: client?.redirectUris,
      auth_method: client?.clientAuthMethod,
    };
  },
  revocation: (ctx) => ({ client_id: clientId(ctx) }),
  introspection: (ctx) => ({ client_id: clientId(ctx) }),
};

/** The engine's own context; absent if the request never got there. */
const oidc = (ctx: Context) =>
  (ctx as unknown as { oidc?: Partial<KoaContextWithOIDC['oidc']> }).oidc;

const clientId = (ctx: Context) =>
  oidc(ctx)?.client?.clientId ?? unknownClient(oidc(ctx)?.params?.client_id);

/**
 * What was sent as the id of a client and is none could be anything, put there by mistake: of what looks like a secret only
 * so much is told that it can be found again.
 */
const unknownClient = (value: unknown) =>
  text(value)?.replace(/^([\w-]{12})[\w-]+$/, (_, start: string) => `${start}…`);

const text = (value: unknown) => (typeof value === 'string' ? value : undefined);

/** On our side, not the client's. */
const isOurs = (error: unknown): boolean => ((error as { status?: number }).status ?? 500) >= 500;

/** @returns `error` and `cause` of a Refusal, of an error of the engine, or of a fault of ours */
export function refusal(error: unknown): { error: string; cause: string | undefined } {
  const { message, error_description, error_detail, expose } = error as Partial<ErrorOfEngine>;
  if (!expose && !error_detail) return { error: 'server_error', cause: undefined };
  return { error: text(message) ?? 'other', cause: text(error_detail) ?? text(error_description) };
}

interface ErrorOfEngine {
  readonly message: unknown;
  readonly error_description: unknown;
  readonly error_detail: unknown;
  readonly expose: boolean;
}
