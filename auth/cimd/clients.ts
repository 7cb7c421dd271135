import type { AdapterPayload } from 'oidc-provider';
import type { Clients } from '../../adapters/clients.ts';
import { type Copy, createDocumentCache } from '../../adapters/document-cache.ts';
import type { FetchLimits } from '../../adapters/fetch-limits.ts';
import type { GuardedFetch } from '../../adapters/guarded-fetch.ts';
import type { Config } from '../../config.ts';
import type { Log } from '../../log.ts';
import { type KeySet, verifies } from '../client-keys.ts';
import { acceptDocument, acceptKeySet, type ClientDocument } from './document.ts';
import { documentUrlProblem, isUrlShaped } from './document-url.ts';
import { notAnAddress, notOpen, notThere, notUsable } from './refusals.ts';
import { type ClientRequest, requestUnderWay } from './request.ts';

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
      isUrlShaped(clientId) ? documented(clientId, requestUnderWay()) : registered.find(clientId),
    put: (clientId, metadata) => registered.put(clientId, metadata),
    // A document is kept by its owner.
    keepFor: async (clientId, grantEndsAt) =>
      isUrlShaped(clientId) || registered.keepFor(clientId, grantEndsAt),
    remove: async (clientId) => {
      if (!isUrlShaped(clientId)) await registered.remove(clientId);
    },
  };

  async function documented(clientId: string, request: ClientRequest): Promise<AdapterPayload> {
    refuse(clientId, request);
    const { metadata, keys } = (await documentOf(clientId, request)).value;
    if (!keys) return metadata;
    const { assertion } = request;
    // Keys are needed only where there is something to verify.
    if (assertion === undefined) return { ...metadata, jwks: NO_KEYS };
    const known = await keySetOf(keys, request).catch(() => undefined);
    if (known && (await verifies(known.value, assertion)))
      return { ...metadata, jwks: known.value };
    return withNewestKeys(clientId, request, assertion);
  }

  /** What is refused without asking anybody. @throws PageRefusal */
  function refuse(clientId: string, { atEndpoint, startsAuthorization }: ClientRequest): void {
    const problem = documentUrlProblem(clientId, config.cimdTestOrigin);
    if (problem) throw notAnAddress(problem, atEndpoint);
    // Who is connected already stays so, as a registered client does.
    if (startsAuthorization && config.registration.mode !== 'open') throw notOpen();
  }

  /** The document, read again if it may have gained the redirect URI that is asked for. */
  async function documentOf(
    clientId: string,
    request: ClientRequest,
  ): Promise<Copy<ClientDocument>> {
    const found = await getDocument(clientId, request);
    const isEnough = !request.startsAuthorization || redirectsTo(found.value, request.redirectUri);
    return isEnough ? found : getDocument(clientId, request, recently());
  }

  /**
   * For an assertion that was signed with a key that is newer than our copies, or by somebody else.
   * @throws PageRefusal 503 if the newest keys can't be had: without them the two can't be told apart
   */
  async function withNewestKeys(
    clientId: string,
    request: ClientRequest,
    assertion: string,
  ): Promise<AdapterPayload> {
    const notBefore = recently();
    const { value, stale } = await getDocument(clientId, request, notBefore);
    const { metadata, keys } = value;
    if (!keys) return metadata;
    const newest = await keySetOf(keys, request, notBefore);
    const problem = stale ?? newest.stale;
    if (problem && !(await verifies(newest.value, assertion)))
      throw notThere(new URL(clientId).host, problem);
    return { ...metadata, jwks: newest.value };
  }

  /** @param notBefore epoch milliseconds; an older copy is fetched again @throws PageRefusal */
  async function getDocument(
    clientId: string,
    { asker, atEndpoint }: ClientRequest,
    notBefore?: number,
  ): Promise<Copy<ClientDocument>> {
    return documents.get(clientId, { notBefore, asker }).catch(notUsable(clientId, atEndpoint));
  }

  /** The engine gets it as if it had been in the document: it fetches nothing itself. As getDocument. */
  async function keySetOf(
    keys: NonNullable<ClientDocument['keys']>,
    { asker }: ClientRequest,
    notBefore?: number,
  ): Promise<Copy<KeySet>> {
    if (!('uri' in keys)) return { value: keys };
    return keySets.get(keys.uri, { notBefore, asker }).catch(notUsable(keys.uri, true));
  }

  function recently(): number {
    return now() - NEWS_AFTER_MS;
  }
}

const NO_KEYS: KeySet = { keys: [] };

/** Whether the document covers what is asked for; on loopback the engine decides about ports. */
function redirectsTo({ metadata }: ClientDocument, asked: string | undefined): boolean {
  return (
    asked === undefined || asked.startsWith('http:') || metadata.redirect_uris!.includes(asked)
  );
}
