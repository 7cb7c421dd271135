import type { Clients } from '../../adapters/clients.ts';
import type { EndedConnection } from '../../adapters/connection-list.ts';
import type { Connections } from '../../adapters/connections.ts';
import {
  type ConnectedApp,
  connectedApp,
  type Grant,
  type Grants,
  isService,
} from '../../adapters/grants.ts';
import { WRITE } from '../../resource.ts';
import type { AppView, ConnectionView, EndedView } from '../../views/account-pages.ts';
import { isUrlShaped } from '../cimd/document-url.ts';
import { verifiedApp } from '../known-apps.ts';
import { PATHS } from '../paths.ts';
import { redirectTarget } from '../redirect-uri.ts';

/** A living grant of the user who asks. */
export interface OwnConnection {
  readonly grantId: string;
  readonly grant: Grant;
  readonly calls: number;
  readonly usedAt: number | undefined;
}

/**
 * The connections of one user. Whose a grant is, and whether it is alive, is read from the grant itself; the user's list
 * only says where to look (adapters/connections.ts).
 */
export function createOwnConnections(options: {
  grants: Grants;
  connections: Pick<Connections, 'of'>;
  clients: Pick<Clients, 'find'>;
}) {
  const { grants, connections, clients } = options;
  return {
    /** One, if it is theirs. @throws StoreUnavailable */
    async find(subject: string, grantId: string): Promise<Grant | undefined> {
      const found = await grants.find(grantId);
      return found && isOwn(found.grant, subject) ? found.grant : undefined;
    },

    /** Those that are listed, used last first. @throws StoreUnavailable */
    async list(subject: string) {
      const { connections: listed, ended, isIncomplete = false } = await connections.of(subject);
      // Also what is said to have ended: a store that lost its newest writes may have brought a grant back.
      const ids = new Set([...Object.keys(listed), ...ended.map(({ grantId }) => grantId)]);
      const found = await grants.findAll([...ids]);
      const alive = found
        .filter(({ grant }) => isOwn(grant, subject))
        .map(({ grantId, grant }): OwnConnection => {
          const { calls = 0, usedAt } = listed[grantId] ?? {};
          return { grantId, grant, calls, usedAt };
        })
        .toSorted((a, b) => lastSeen(b) - lastSeen(a));
      const back = new Set(alive.map(({ grantId }) => grantId));
      return { alive, ended: ended.filter(({ grantId }) => !back.has(grantId)), isIncomplete };
    },

    /** All, also if there are more than are listed: then, and only then, every grant is looked at. */
    async *all(subject: string): AsyncGenerator<string> {
      const { alive, isIncomplete } = await this.list(subject);
      for (const { grantId } of alive) yield grantId;
      if (!isIncomplete) return;
      for await (const { grantId, grant } of grants.all()) {
        if (isOwn(grant, subject)) yield grantId;
      }
    },

    /** As they are shown: by app, in the order of what was used last. */
    async byApp(alive: readonly OwnConnection[]): Promise<AppView[]> {
      const apps = await appsOf(alive.map(({ grant }) => grant));
      const groups = Map.groupBy(alive, ({ grant }) => {
        const { kind, target, name } = apps(grant);
        return JSON.stringify([kind, target, name]);
      });
      return [...groups.values()].map((group) => ({
        ...apps(group[0]!.grant),
        connections: group.map(asView),
      }));
    },

    async one(grant: Grant): Promise<Omit<AppView, 'connections'>> {
      return (await appsOf([grant]))(grant);
    },

    async asEnded(ended: readonly EndedConnection[]): Promise<EndedView[]> {
      const apps = await appsOf(ended);
      return ended.map((each) => ({ ...apps(each), endedAt: each.endedAt, why: each.why }));
    },
  };

  /** Grants of older versions say nothing of the app: the client may still be there to be asked. */
  async function appsOf(known: readonly Pick<Grant, 'clientId' | 'app'>[]) {
    const unsaid = new Set(known.filter(({ app }) => !app).map(({ clientId }) => clientId));
    const asked = new Map<string, Partial<ConnectedApp>>();
    await Promise.all(
      [...unsaid].map(async (clientId) => {
        // Its document may not be had just now, and nothing depends on it.
        const metadata = await clients.find(clientId).catch(() => undefined);
        if (metadata) asked.set(clientId, appOf(metadata));
      }),
    );
    return ({ clientId, app }: Pick<Grant, 'clientId' | 'app'>) =>
      describe(clientId, app ?? asked.get(clientId) ?? {});
  }
}

export type OwnConnections = ReturnType<typeof createOwnConnections>;

const isOwn = (grant: Grant, subject: string): boolean =>
  grant.accountId === subject && !isService(grant);

const lastSeen = ({ usedAt, grant }: OwnConnection): number => usedAt ?? grant.createdAt;

/** With addresses of several hosts nobody knows any more which one it was. */
function appOf({ client_name, redirect_uris }: Record<string, unknown>): Partial<ConnectedApp> {
  const name = typeof client_name === 'string' ? client_name : undefined;
  const apps = ((redirect_uris ?? []) as string[]).map((uri) => connectedApp(name, uri));
  const [redirect, ...others] = new Set(apps.map((app) => app.redirect));
  return { name, ...(redirect !== undefined && others.length === 0 && { redirect }) };
}

function describe(clientId: string, { name, redirect }: Partial<ConnectedApp>) {
  const clientHost = isUrlShaped(clientId) ? new URL(clientId).host : undefined;
  const target = redirect === undefined ? undefined : redirectTarget(redirect);
  return {
    // The port was that of one afternoon, and the spelling is a matter of taste.
    target: target?.kind === 'loopback' ? 'localhost' : target?.name,
    kind: target?.kind,
    verifiedApp: redirect === undefined ? undefined : verifiedApp(redirect),
    name,
    clientHost,
  };
}

const asView = ({ grantId, grant, calls, usedAt }: OwnConnection): ConnectionView => ({
  canWrite: grant.scope.split(' ').includes(WRITE),
  createdAt: grant.createdAt,
  usedAt,
  calls,
  disconnectAt: `${PATHS.accountDisconnect}/${grantId}`,
});
