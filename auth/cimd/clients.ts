import { type AdapterPayload, type KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { Clients } from '../../adapters/clients.ts';
import { type Copy, createDocumentCache } from '../../adapters/document-cache.ts';
import type { Asker, FetchLimits } from '../../adapters/fetch-limits.ts';
import type { GuardedFetch } from '../../adapters/guarded-fetch.ts';
import type { Config } from '../../config.ts';
import { addressOf } from '../../http/address.ts';
import type { Log } from '../../log.ts';
import { type KeySet, verifies } from '../client-keys.ts';
import { acceptDocument, acceptKeySet, type ClientDocument } from './document.ts';
import { documentUrlProblem, isUrlShaped } from './document-url.ts';
import { notAnAddress, notOpen, notThere, notUsable } from './refusals.ts';

/**
 * Client ID metadata documents (draft-ietf-oauth-client-id-metadata-document): clients whose id is the address of a
 * document about them. In front of the registered ones, so that to everything behind it a client is a client; nothing
 * about them is stored, so nothing of theirs can be lost or has to be kept alive.
 *
 * The engine has a feature for this. It is not used: it connects to special addresses before it refuses them, remembers
 * per key set, knows no failures, and takes a host that is away for a client that is gone.
 */
export interface ClientDocumentOptions {
  readonly registered: Clients;
  readonly config: Config;
  readonly fetch: GuardedFetch;
  readonly limits: FetchLimits;
  readonly log: Log;
  readonly now: () => number;
}

/** The size the draft recommends (§8.7). */
const MAX_DOCUMENT_BYTES = 5 * 1024;
/** Ten RSA keys with their certificates. */
const MAX_KEY_SET_BYTES = 32 * 1024;
/** A key or a redirect URI that is not in a copy of this age may be newer than it. */
const NEWS_AFTER_MS = 30_000;
/** Where people are, rather than the client itself. */
const PEOPLE_AT = ['authorization', 'resume'];

export function withClientDocuments(options: ClientDocumentOptions): Clients {
  const { registered, config, fetch, limits, log, now } = options;
  const onFetched = (url: string, problem: Error | undefined) => {
    const outcome = problem ? 'refused' : 'success';
    const line = { event: 'client_metadata', outcome, url: url.slice(0, 200) };
    log.info(problem ? { ...line, cause: problem.message } : line);
  };
  const common = { fetch, limits, now, onFetched };
  const documents = createDocumentCache({
    ...common,
    maxBytes: MAX_DOCUMENT_BYTES,
    absentIsGone: true,
    accept: (json, url) => acceptDocument(json, url, config),
  });
  const keySets = createDocumentCache({
    ...common,
    maxBytes: MAX_KEY_SET_BYTES,
    // The document still says where they are.
    absentIsGone: false,
    accept: acceptKeySet,
  });

  return {
    find: async (clientId) =>
      isUrlShaped(clientId) ? documented(clientId) : registered.find(clientId),
    put: (clientId, metadata) => registered.put(clientId, metadata),
    // A document is kept by its owner.
    keepFor: async (clientId, grantEndsAt) =>
      isUrlShaped(clientId) || registered.keepFor(clientId, grantEndsAt),
    remove: async (clientId) => {
      if (!isUrlShaped(clientId)) await registered.remove(clientId);
    },
  };

  async function documented(clientId: string): Promise<AdapterPayload> {
    const ctx = Provider.ctx;
    const atEndpoint = ctx !== undefined && !PEOPLE_AT.includes(String(ctx.oidc.route));
    const problem = documentUrlProblem(clientId, config.cimdTestOrigin);
    if (problem) throw notAnAddress(problem, atEndpoint);
    const asksPerson = ctx?.oidc.route === 'authorization';
    // Who is connected already stays so, as a registered client does.
    if (asksPerson && config.registration.mode !== 'open') throw notOpen();
    const asker = ctx && askerOf(ctx, atEndpoint);
    const find = (notBefore?: number) =>
      documents.get(clientId, { notBefore, asker }).catch(notUsable(clientId, atEndpoint));
    const recently = now() - NEWS_AFTER_MS;

    let found = await find();
    if (asksPerson && !redirectsTo(found.value.metadata, ctx.oidc.params?.redirect_uri)) {
      found = await find(recently);
    }
    const { metadata, keys } = found.value;
    const assertion = ctx?.oidc.params?.client_assertion;
    if (!keys) return metadata;
    // Keys are needed only where there is something to verify.
    if (typeof assertion !== 'string') return { ...metadata, jwks: { keys: [] } };
    const known = await keySetOf(keys, asker).catch(() => undefined);
    if (known && (await verifies(known.value, assertion)))
      return { ...metadata, jwks: known.value };

    // Signed with a key that is newer than our copies, or by somebody else.
    found = await find(recently);
    if (!found.value.keys) return found.value.metadata;
    const newer = await keySetOf(found.value.keys, asker, recently);
    const stale = found.stale ?? newer.stale;
    // Who can't see the newest keys can't tell the two apart.
    if (stale && !(await verifies(newer.value, assertion)))
      throw notThere(new URL(clientId).host, stale);
    return { ...found.value.metadata, jwks: newer.value };
  }

  /** The engine gets it as if it had been in the document: it fetches nothing itself. */
  async function keySetOf(
    keys: NonNullable<ClientDocument['keys']>,
    asker: Asker | undefined,
    notBefore?: number,
  ): Promise<Copy<KeySet>> {
    if (!('uri' in keys)) return { value: keys };
    return keySets.get(keys.uri, { notBefore, asker }).catch(notUsable(keys.uri, true));
  }
}

const askerOf = (ctx: KoaContextWithOIDC, atEndpoint: boolean): Asker => ({
  address: addressOf(ctx),
  place: atEndpoint ? 'endpoint' : 'page',
});

/** Whether the document covers what is asked for; on loopback the engine decides about ports. */
function redirectsTo({ redirect_uris }: AdapterPayload, asked: unknown): boolean {
  return typeof asked !== 'string' || asked.startsWith('http:') || redirect_uris!.includes(asked);
}
