import { errors } from 'oidc-provider';
import type { Clients } from '../../adapters/clients.ts';
import type { Connections } from '../../adapters/connections.ts';
import type { GrantEnding } from '../../adapters/grant-ending.ts';
import type { Grants } from '../../adapters/grants.ts';
import type { RateLimits } from '../../adapters/rate-limits.ts';
import type { Secrets } from '../../adapters/secrets.ts';
import type { Store } from '../../adapters/store.ts';
import type { Config } from '../../config.ts';

/** What the grant handlers work with. */
export interface GrantHandlerOptions {
  readonly config: Config;
  readonly store: Store;
  readonly grants: Grants;
  readonly ending: GrantEnding;
  readonly connections: Pick<Connections, 'opened' | 'renewed'>;
  readonly clients: Clients;
  readonly secrets: Secrets;
  readonly limits: RateLimits;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** It was removed, or collected, while it was being served: no grant may outlive it. */
export const clientIsGone = () => new errors.InvalidClientAuth({ detail: 'client is gone' });
