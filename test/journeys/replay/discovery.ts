import { needsResource, needsServer, type Server } from './needs.ts';
import type { Stage } from './stage.ts';

type Headers = Readonly<Record<string, string>>;

/** The two documents between a challenge and a sign-in, in the order in which nearly all clients read them. */
export async function discovers(
  stage: Stage,
  resourceMetadata: string,
  headers: { readonly resource: Headers; readonly server: Headers },
  compare: 'equal' | 'prefix' = 'equal',
): Promise<{ resource: string; server: Server }> {
  const metadata = await stage.send('GET', resourceMetadata, { headers: headers.resource });
  const resource = needsResource(stage, metadata, compare);
  return { resource, server: await readsServer(stage, headers.server) };
}

export async function readsServer(stage: Stage, headers: Headers): Promise<Server> {
  const url = `${stage.url}/.well-known/oauth-authorization-server`;
  return needsServer(stage, await stage.send('GET', url, { headers }));
}
