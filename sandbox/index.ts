/**
 * A stand-in for NeonPanel: its login (OAuth with PKCE and open registration), its REST API over invented
 * books, and switches for everything that can go wrong there. It shares no code with the server it helps
 * to develop, so that both cannot make the same mistake.
 *
 *   index.ts   starts and stops it; the one place where its parts are put together
 *   app.ts     the order of the middleware
 *   oauth/     login, registration, tokens        api/     the fourteen operations
 *   data/      the invented books                 faults/  the switches
 *   http/      edge, body, recorder, listening    state.ts what survives a restart
 */
import type { RequestListener } from 'node:http';
import { createApp } from './app.ts';
import type { SandboxContext } from './context.ts';
import { createData, type SandboxData } from './data/index.ts';
import { createSwitchboard, type FaultSwitchboard } from './faults/switchboard.ts';
import { listen } from './http/listen.ts';
import { createRecorder, type Recorder } from './http/recorder.ts';
import { createClients } from './oauth/clients.ts';
import { createGrants } from './oauth/grants.ts';
import { openKeys } from './oauth/keys.ts';
import { openState } from './state.ts';

export type { SandboxData } from './data/index.ts';
export type { FaultName, FaultOptions, FaultSwitchboard } from './faults/switchboard.ts';
export type { RecordedRequest } from './http/recorder.ts';

export type SandboxOptions = {
  /** 0 takes a free one. */
  port: number;
  /** `localhost` (both loopback addresses), `127.0.0.1` or `::1`. */
  host?: string;
  /** File that keeps registrations, tokens and import jobs; without it they live in memory. */
  statePath?: string;
  /** The clock, in milliseconds. */
  now?: () => number;
  /** Another seed makes other figures. */
  seed?: number;
  /** Issuer and base of every URL, if it is not http://HOST:PORT. */
  publicUrl?: string;
  log?: (line: string) => void;
};

export type Sandbox = {
  url: string;
  users: { email: string; password: string; name: string }[];
  recorder: Pick<Recorder, 'requests' | 'clear'>;
  faults: FaultSwitchboard;
  data: SandboxData;
  close(): Promise<void>;
};

/** Starts a sandbox; rejects when the port or the state file cannot be had. */
export async function startSandbox(options: SandboxOptions): Promise<Sandbox> {
  const { port, host = 'localhost', statePath, seed, publicUrl, log = () => {} } = options;
  const now = options.now ?? Date.now;

  let handler: RequestListener = (_request, response) => {
    response.writeHead(503, { Connection: 'close' }).end();
  };
  const listening = await listen(port, host, (request, response) => handler(request, response));
  try {
    const name = host === '::1' ? '[::1]' : host;
    const issuer = publicUrl?.replace(/\/+$/, '') ?? `http://${name}:${listening.port}`;
    const state = openState(statePath, now);
    const keys = openKeys(state);
    const clients = createClients(state, now);
    const grants = createGrants(state, keys, issuer, now);
    const faults = createSwitchboard(keys.rotate);
    const recorder = createRecorder(now);
    const data = createData(seed);
    const context: SandboxContext = {
      issuer,
      now,
      state,
      keys,
      clients,
      grants,
      faults,
      data,
      log,
    };
    handler = createApp(context, recorder).callback();

    let closing: Promise<void> | undefined;
    return {
      url: issuer,
      users: data.users.map(({ email, password, name }) => ({ email, password, name })),
      recorder,
      faults,
      data,
      close: () => (closing ??= listening.close().finally(() => state.close())),
    };
  } catch (error) {
    await listening.close();
    throw error;
  }
}
