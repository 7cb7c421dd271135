import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import { requestLog } from '../http/context.ts';

/**
 * One line for what the engine did with a request: who, what, outcome, and the distinct cause of a refusal, which the
 * answer on the wire keeps vague. Never a code, a token, a secret or a state.
 */
export function logEvents(provider: Provider): void {
  provider.on('grant.success', (ctx) => token(ctx).info({ ...facts(ctx), outcome: 'success' }));
  provider.on('grant.error', (ctx, error) =>
    token(ctx).info({ ...facts(ctx), outcome: 'refused', ...refusal(error) }),
  );
  provider.on('registration_create.success', (ctx, client) =>
    requestLog(ctx).info({
      event: 'registration',
      outcome: 'success',
      client_id: client.clientId,
      client_name: client.clientName,
      redirect_uris: client.redirectUris,
    }),
  );
  provider.on('registration_create.error', (ctx, error) =>
    requestLog(ctx).info({ event: 'registration', outcome: 'refused', ...refusal(error) }),
  );
  provider.on('authorization.error', (ctx, error) =>
    requestLog(ctx).info({
      event: 'authorization',
      outcome: 'refused',
      client_id: ctx.oidc.client?.clientId,
      ...refusal(error),
    }),
  );
  provider.on('authorization.success', (ctx) =>
    requestLog(ctx).info({
      event: 'authorization',
      outcome: 'success',
      client_id: ctx.oidc.client?.clientId,
    }),
  );
  provider.on('server_error', (ctx, error) =>
    requestLog(ctx).error({ event: 'server_error', path: ctx.path, err: error }),
  );
}

const token = (ctx: KoaContextWithOIDC) => requestLog(ctx).child({ event: 'token' });

const facts = (ctx: KoaContextWithOIDC) => ({
  grant_type: text(ctx.oidc.params?.grant_type),
  client_id: ctx.oidc.client?.clientId ?? text(ctx.oidc.params?.client_id),
  grant: ctx.oidc.entities.AccessToken?.grantId,
});

/** What a stranger sent, cut to a length that can do no harm in a log. */
const text = (value: unknown) => (typeof value === 'string' ? value.slice(0, 100) : undefined);

const refusal = (error: unknown) => {
  const { message, error_description, error_detail } = error as Partial<Record<string, string>>;
  return { error: message, cause: error_detail ?? error_description };
};
