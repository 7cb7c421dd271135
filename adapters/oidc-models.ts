import Provider, {
  type Adapter,
  type AdapterPayload,
  errors,
  type InteractionResults,
} from 'oidc-provider';
import { createAssertions } from './assertions.ts';
import type { Clients } from './clients.ts';
import { codeKey, grantKey, isGrantId } from './grants.ts';
import { digest } from './secrets.ts';
import type { Entry, Key, Lifetime, Store, Write } from './store.ts';

/**
 * oidc-provider's storage interface on our store. Only what must outlive a request is kept:
 *
 * - Client: see clients.ts
 * - Interaction: one record per authorization request, under the id that becomes the grant's. The engine would destroy it
 *   before it writes the code; here it goes in the same commit, so a failure in between leaves a request to resume
 * - AuthorizationCode: one per interaction, written once, as a hash
 * - ReplayDetection: used assertion ids, see assertions.ts
 * - the rest, listed by name below: never stored, never found
 *
 * Sessions are not kept at all: every authorization shows the consent page and goes through NeonPanel's login, so a
 * browser session here could only be confused with another user's. Access tokens are signed, refresh tokens are
 * computed from the grant (auth/refresh-token.ts), grants are ours (grants.ts).
 */
export function createOidcModels(store: Store, clients: Clients) {
  const assertions = createAssertions(store);
  return (model: string): Adapter => {
    switch (model) {
      case 'Client':
        return adapter({
          upsert: (id, payload) => clients.put(id, payload),
          find: (id) => clients.find(id),
          destroy: (id) => clients.remove(id),
        });
      case 'Interaction':
        return adapter({
          upsert: (id, payload, ttl) => put(interactionKey(id), payload, ttl),
          find: (id) => (isGrantId(id) ? get(interactionKey(id)) : Promise.resolve(undefined)),
        });
      case 'AuthorizationCode':
        return adapter({ upsert: saveCode });
      case 'ReplayDetection':
        return adapter({
          // The provider looks first and writes then; only the insert decides between two at once.
          upsert: async (id, payload, ttl) => {
            const giveBack = await assertions.use(id, payload, ttl);
            if (!giveBack) throw new errors.InvalidClientAuth('assertion was used already');
            undoOnFailure(giveBack);
          },
          find: async (id) => ((await assertions.isUsed(id)) ? {} : undefined),
        });
      case 'AccessToken':
      case 'ClientCredentials':
      case 'Grant':
      case 'InitialAccessToken':
      case 'RefreshToken':
      case 'RegistrationAccessToken':
      case 'Session':
        return adapter({});
      default:
        throw new TypeError(`nothing is known about storing a ${model}`);
    }
  };

  /** One consent yields at most one code: the record's key is the interaction's id, and it is written only once. */
  async function saveCode(code: string, payload: AdapterPayload, lifetime: Lifetime) {
    const { jti: _, grantId, ...rest } = payload;
    const record: CodeRecord = { hash: digest(code), payload: rest };
    const saved = await store.commit([
      { key: codeKey(grantId!), expect: 'absent', put: JSON.stringify(record), lifetime },
      // Not to remove anything, but to write only while there is no grant yet.
      { key: grantKey(grantId!), expect: 'absent', remove: true },
      { key: interactionKey(grantId!), expect: 'any', remove: true },
    ]);
    if (saved) return;
    const error = new errors.SessionNotFound('authorization request was completed already');
    error.allow_redirect = false;
    throw error;
  }

  async function put(key: Key, payload: AdapterPayload, lifetime: Lifetime) {
    await store.commit([{ key, expect: 'any', put: JSON.stringify(payload), lifetime }]);
  }

  async function get(key: Key): Promise<AdapterPayload | undefined> {
    const [entry] = await store.read(key);
    return entry && (JSON.parse(entry.value) as AdapterPayload);
  }
}

/** What is to be done if the request under way fails on our side; done by who runs the engine. */
function undoOnFailure(undo: () => void): void {
  const ctx = Provider.ctx;
  if (ctx) ctx.state.undo = undo;
}

/** What a code stands for until it is redeemed; the code itself is stored only as a hash. */
export interface CodeRecord {
  readonly hash: string;
  readonly payload: AdapterPayload;
}

export const interactionKey = (uid: string): Key => ({ tag: uid, kind: 'interaction' });

/**
 * Records the answer to an authorization request, together with other records of it, if the request is still there and
 * was not denied meanwhile: a cancellation is never taken back by a sign-in that was under way in another tab.
 *
 * @param known the interaction as it was read a moment ago, if it was
 * @returns where the engine resumes, or undefined if the request is over
 */
export async function answerInteraction(
  store: Store,
  uid: string,
  result: InteractionResults,
  also: readonly Write[] = [],
  known?: Entry,
): Promise<string | undefined> {
  const key = interactionKey(uid);
  const entry = known ?? (await store.read(key))[0];
  if (!entry) return undefined;
  const interaction = JSON.parse(entry.value) as StoredInteraction;
  if (interaction.result?.error) return undefined;
  const put = JSON.stringify({ ...interaction, result });
  const expect = { version: entry.version };
  const done = await store.commit([{ key, expect, put, lifetime: 'keep' }, ...also]);
  if (!done && known) return answerInteraction(store, uid, result, also);
  return done && interaction.returnTo;
}

interface StoredInteraction {
  readonly returnTo: string;
  readonly result?: InteractionResults;
}

type Verbs = {
  upsert(id: string, payload: AdapterPayload, ttlSeconds: number): Promise<void>;
  find(id: string): Promise<AdapterPayload | undefined>;
  destroy(id: string): Promise<void>;
};

/** Fills in the verbs a model never needs. */
function adapter(verbs: Partial<Verbs>): Adapter {
  const nothing = async () => undefined;
  return {
    upsert: nothing,
    find: nothing,
    destroy: nothing,
    findByUid: nothing,
    findByUserCode: nothing,
    consume: nothing,
    revokeByGrantId: nothing,
    ...verbs,
  };
}
