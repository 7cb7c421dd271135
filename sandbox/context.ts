import type { Clock } from './clock.ts';
import type { SandboxData } from './data/index.ts';
import type { FaultSwitchboard } from './faults/switchboard.ts';
import type { Clients } from './oauth/clients.ts';
import type { Grants } from './oauth/grants.ts';
import type { SigningKeys } from './oauth/keys.ts';
import type { State } from './state.ts';

/** What every part of the sandbox may use; put together once, in index.ts. */
export type SandboxContext = {
  /** Issuer and base of every URL, without a trailing slash. */
  issuer: string;
  now: Clock;
  state: State;
  keys: SigningKeys;
  clients: Clients;
  grants: Grants;
  faults: FaultSwitchboard;
  data: SandboxData;
  log: (line: string) => void;
};
