/** What the measuring process and its load generator say to each other. */
export type Task = Repeat | OpenLoop | Flow | Connect | Adopt;

/** One request of a kind that is repeated. */
export interface Shot {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Closed loop: each connection sends its next request when the last one was answered (autocannon). */
export interface Repeat {
  readonly kind: 'repeat';
  readonly origin: string;
  /** Shared out among the connections, which take turns through theirs. */
  readonly shots: readonly Shot[];
  /** Part of every good answer: a quick refusal must not look like speed. */
  readonly expect: string;
  readonly connections: number;
  /** For so long, or so many in all. */
  readonly seconds?: number;
  readonly amount?: number;
}

/** Open loop: a request at every tick, whether the last one was answered or not, as many users send them. */
export interface OpenLoop {
  readonly kind: 'open';
  readonly origin: string;
  readonly shots: readonly Shot[];
  readonly expect: string;
  readonly perSecond: number;
  readonly seconds: number;
}

/** An authorization server and how its clients find their way through it. */
export interface Authority {
  readonly kind: 'ours' | 'oidc-provider' | 'workers-oauth-provider' | 'better-auth' | 'rs256';
  readonly origin: string;
  /** Who has signed in before, where somebody must; at ours each flow is of somebody else (sellers.ts). */
  readonly user?: { readonly email: string; readonly password: string };
}

/** Several steps that belong together, by so many clients at a time, each one step after the other. */
export interface Flow {
  readonly kind: 'flow';
  readonly flow: 'connect' | 'refresh';
  readonly authority: Authority;
  readonly clients: number;
  readonly seconds: number;
}

/** So many whole connections. @returns their access tokens */
export interface Connect {
  readonly kind: 'connect';
  readonly authority: Authority;
  readonly count: number;
}

export interface Load {
  readonly requests: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** A connection that was made without the generator. */
export interface Seeded {
  readonly clientId: string;
  readonly refreshToken: string;
}

/** Takes connections over: each is refreshed once, and later refreshes go on with them. @returns their access tokens */
export interface Adopt {
  readonly kind: 'adopt';
  readonly authority: Authority;
  readonly connections: readonly Seeded[];
}
