import type { Config } from '../../config.ts';
import type { Log } from '../../log.ts';
import type { Secrets } from '../secrets.ts';
import type { Store } from '../store.ts';
import { ANSWER_ROOM, type AnswerRoomLimits, createAnswerRoom } from './answer-room.ts';
import { createNeonpanelApi } from './api.ts';
import { createBoundedFetch } from './bounded-fetch.ts';
import { createBreaker } from './breaker.ts';
import { createNeonpanelClient } from './client.ts';
import { createNeonpanelMetadata } from './metadata.ts';
import { createNeonpanelLogin } from './oauth.ts';
import { createNeonpanelWatch } from './watch.ts';

/** An exchange with NeonPanel's OAuth endpoints ends within this. */
export const OAUTH_TIMEOUT_MS = 5_000;

/**
 * Everything that talks to NeonPanel, wired as the configuration says: for the server and for the admin command.
 *
 * @param options.redirectUri our callback
 */
export function connectNeonpanel(options: {
  config: Config;
  redirectUri: string;
  store: Store;
  secrets: Secrets;
  log: Log;
  now: () => number;
  /** Default: what it should be in a server. */
  answers?: Partial<AnswerRoomLimits> | undefined;
}) {
  const { config, redirectUri, store, secrets, log, now } = options;
  const { url, apiUrl, arrayStyle, scope, clientId, clientSecret } = config.neonpanel;
  const breaker = createBreaker(log);
  const watch = createNeonpanelWatch(log);
  const maxBytes = 64 * 1024;
  const fetch = createBoundedFetch({ timeoutMs: OAUTH_TIMEOUT_MS, maxBytes, breaker, watch });
  const room = createAnswerRoom({ ...ANSWER_ROOM, ...options.answers });
  const api = createNeonpanelApi({ apiUrl, arrayStyle, now, log, breaker, watch, room });
  const metadata = createNeonpanelMetadata({ url, fetch, now });
  const client = createNeonpanelClient({
    configured: clientId ? { clientId, ...(clientSecret && { clientSecret }) } : undefined,
    neonpanelUrl: url,
    redirectUri,
    registrationEndpoint: async () => (await metadata()).registration_endpoint!,
    fetch,
    store,
    secrets,
    now,
  });
  const login = createNeonpanelLogin({
    url,
    scope,
    redirectUri,
    metadata,
    client,
    api,
    fetch,
    now,
  });
  return {
    api,
    room,
    fetch,
    metadata,
    client,
    login,
    /** Whether it answers. */
    state: () => watch.state(),
    close: async () => void (await Promise.all([api.close(), fetch.close()])),
  };
}

export type Neonpanel = ReturnType<typeof connectNeonpanel>;
