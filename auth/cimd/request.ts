import { type KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { Asker } from '../../adapters/fetch-limits.ts';
import { addressOf } from '../../http/address.ts';

/** What a request that names a client has to do with it, as far as its document is concerned. */
export interface ClientRequest {
  /** The client speaks to us itself, rather than a person's browser. */
  readonly atEndpoint: boolean;
  /** A person wants to connect the client: it may be one that is new here. */
  readonly startsAuthorization: boolean;
  /** Who makes us fetch; undefined if nobody does right now. */
  readonly asker: Asker | undefined;
  readonly redirectUri: string | undefined;
  /** RFC 7523 §2.2 */
  readonly assertion: string | undefined;
}

/** Where people are, rather than the client itself. */
const PEOPLE_AT = ['authorization', 'resume'];

/**
 * The request under way. The engine asks for a client by its id alone, so this is found where the engine keeps it: in the
 * asynchronous context.
 */
export function requestUnderWay(): ClientRequest {
  const ctx = Provider.ctx;
  const route = ctx?.oidc.route;
  const atEndpoint = ctx !== undefined && !PEOPLE_AT.includes(String(route));
  const place = atEndpoint ? 'endpoint' : 'page';
  return {
    atEndpoint,
    startsAuthorization: route === 'authorization',
    asker: ctx && { address: addressOf(ctx), place },
    redirectUri: parameter(ctx, 'redirect_uri'),
    assertion: parameter(ctx, 'client_assertion'),
  };
}

function parameter(ctx: KoaContextWithOIDC | undefined, name: string): string | undefined {
  const value = ctx?.oidc.params?.[name];
  return typeof value === 'string' ? value : undefined;
}
