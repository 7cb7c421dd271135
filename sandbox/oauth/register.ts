import { seconds } from '../clock.ts';
import type { SandboxContext } from '../context.ts';
import { oauthRefusal } from '../errors.ts';
import { jsonObject } from '../http/body.ts';
import type { Ctx } from '../http/types.ts';
import { changeMetadata, readMetadata } from './client-metadata.ts';
import { registrationTokenMs, type Client } from './clients.ts';
import { matches } from './secrets.ts';

const registrationBytesMax = 65_536;

/** Open registration (RFC 7591) and the client's own management of it (near RFC 7592, with PATCH). */
export function createRegistration({ clients, grants, issuer, now }: SandboxContext) {
  function register(ctx: Ctx): void {
    const { client, secret, registrationToken } = clients.create(readMetadata(readJson(ctx)));
    ctx.status = 201;
    answer(ctx, {
      ...describe(client),
      ...(secret && { client_secret: secret, client_secret_expires_at: 0 }),
      registration_access_token: registrationToken,
    });
  }

  function read(ctx: Ctx): void {
    answer(ctx, describe(findOwner(ctx)));
  }

  function change(ctx: Ctx): void {
    const client = findOwner(ctx);
    const changed = { ...client, metadata: changeMetadata(client.metadata, readJson(ctx)) };
    clients.update(changed);
    answer(ctx, describe(changed));
  }

  function remove(ctx: Ctx): void {
    const client = findOwner(ctx);
    clients.delete(client.id);
    grants.revokeAll((grant) => grant.clientId === client.id);
    ctx.status = 204;
    ctx.body = null;
  }

  function rotate(ctx: Ctx): void {
    answer(ctx, {
      registration_access_token: clients.renewRegistrationToken(findOwner(ctx)),
      issued_at: seconds(now()),
      expires_in: seconds(registrationTokenMs),
    });
  }

  function rotateSecret(ctx: Ctx): void {
    const client = findOwner(ctx);
    if (!client.secretDigest) throw oauthRefusal('access_denied', 'The client has no secret.', 403);
    const client_secret = clients.renewSecret(client);
    answer(ctx, { client_id: client.id, client_secret, client_secret_expires_at: 0 });
  }

  /** The client in the path, if the request bears its registration token. */
  function findOwner(ctx: Ctx): Client {
    const client = clients.find(ctx.path.split('/')[3] ?? '');
    if (!client) throw oauthRefusal('invalid_client', 'The client is unknown.', 404);
    const token = /^Bearer\s+(\S+)$/i.exec(ctx.get('Authorization'))?.[1];
    const good = token !== undefined && matches(token, client.registrationDigest);
    if (!good || client.registrationExpiresAt <= now()) {
      const challenge = { 'WWW-Authenticate': 'Bearer' };
      throw oauthRefusal('invalid_token', 'The registration token is not valid.', 401, challenge);
    }
    return client;
  }

  function describe(client: Client) {
    return {
      client_id: client.id,
      client_id_issued_at: seconds(client.issuedAt),
      ...client.metadata,
      registration_client_uri: `${issuer}/oauth2/register/${client.id}`,
    };
  }

  return { register, read, change, remove, rotate, rotateSecret };
}

function answer(ctx: Ctx, body: object): void {
  ctx.set('Cache-Control', 'no-store');
  ctx.body = body;
}

function readJson(ctx: Ctx): Record<string, unknown> {
  const small = ctx.state.body.length <= registrationBytesMax;
  if (!small) throw oauthRefusal('invalid_client_metadata', 'The request is too large.', 413);
  const body = ctx.is('json') ? jsonObject(ctx.state.body) : undefined;
  if (!body) throw oauthRefusal('invalid_client_metadata', 'Send a JSON object.');
  return body;
}
