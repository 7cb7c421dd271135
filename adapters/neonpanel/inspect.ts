import { randomBytes } from 'node:crypto';
import { calculatePKCECodeChallenge } from 'oauth4webapi';
import type { BoundedFetch } from './bounded-fetch.ts';

/**
 * What can be seen of NeonPanel without a login: for the commands that check a deployment. Each answer is what was there,
 * and nothing is concluded from it here.
 */
export interface Seen {
  /** Undefined if there was no answer. */
  readonly status: number | undefined;
  /** The body, if it was JSON. */
  readonly json: Readonly<Record<string, unknown>> | undefined;
  readonly location: string | undefined;
  /** How far the Date header is ahead of our clock, in milliseconds; it is whole seconds. */
  readonly skewMs: number | undefined;
  /** Why there was no answer. */
  readonly problem: string | undefined;
}

export function createNeonpanelInspector(options: { fetch: BoundedFetch; now: () => number }) {
  const { fetch, now } = options;

  return {
    see,

    /**
     * An authorization request as ours are, without a user: does NeonPanel know client and callback? What it answers to a
     * good one is its login page, or a redirect.
     */
    async probe(
      endpoint: string,
      client: { clientId: string; redirectUri: string },
    ): Promise<Seen> {
      const url = new URL(endpoint);
      const verifier = randomBytes(32).toString('base64url');
      const parameters = {
        response_type: 'code',
        client_id: client.clientId,
        redirect_uri: client.redirectUri,
        scope: 'openid',
        state: randomBytes(16).toString('base64url'),
        code_challenge: await calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      };
      for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
      return see(url.href, { headers: { accept: 'text/html, application/json' } });
    },
  };

  async function see(url: string, init: Parameters<BoundedFetch>[1] = {}): Promise<Seen> {
    const started = now();
    try {
      const response = await fetch(url, {
        ...init,
        headers: { accept: 'application/json', ...(init.headers as object | undefined) },
      });
      const date = Date.parse(response.headers.get('date') ?? '');
      // Half a second on average is cut off.
      const skewMs = Number.isNaN(date) ? undefined : date + 500 - (started + now()) / 2;
      const json: unknown = await response.json().catch(() => undefined);
      return {
        status: response.status,
        json: typeof json === 'object' && json !== null ? (json as Seen['json']) : undefined,
        location: response.headers.get('location') ?? undefined,
        skewMs,
        problem: undefined,
      };
    } catch (error) {
      const { message, code } = error as NodeJS.ErrnoException;
      const problem = message || code || 'no answer';
      const nothing = { status: undefined, json: undefined, location: undefined };
      return { ...nothing, skewMs: undefined, problem };
    }
  }
}

export type NeonpanelInspector = ReturnType<typeof createNeonpanelInspector>;
