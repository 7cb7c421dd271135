import type { Explanation } from './failures.ts';
import type { Http } from './http.ts';
import type { SignIn } from './sign-in.ts';
import type { Target } from './target.ts';

/** One thing that is looked at. Each says what it needs to know, so that one mistake is not reported twice. */
export interface Step {
  readonly id: string;
  /** What is true if it passes. */
  readonly title: string;
  /** What earlier steps must have found out. Without it, the step is skipped. */
  readonly needs?: readonly (keyof Facts)[];
  /** @returns why there is nothing to look at, or undefined */
  readonly skipIf?: (x: Examination) => string | undefined;
  /** @throws Unanswered, which is a failure of the step */
  run(x: Examination, says: Says): Promise<void> | void;
}

/** How a step reports. What it calls a failure breaks a real client; a warning breaks some, or may one day. */
export interface Says {
  fail(cause: string, fix: string): void;
  warn(cause: string, fix: string): void;
  /** What was seen, for a step that passes. */
  note(detail: string): void;
  /** Nothing can be said: other steps find out. */
  leaveOpen(cause: string): void;
}

export interface Examination {
  readonly target: Target;
  readonly http: Http;
  readonly facts: Facts;
  readonly leftBehind: Leftover[];
  /** The code has been exchanged. */
  spent?: boolean;
  readonly wishes: Wishes;
  /** The time that a person takes does not count as the server's. */
  readonly asidePeople: <T>(wait: () => Promise<T>) => Promise<T>;
}

export interface Wishes {
  readonly signIn?: SignIn | undefined;
  readonly everyShape: boolean;
  /** RFC 7591 §3; sent at registration and nowhere else. */
  readonly initialAccessToken?: string | undefined;
  readonly timeoutMs: number;
  readonly ca?: string | undefined;
}

/** What has been found out so far. */
export interface Facts {
  /** The name has addresses. */
  resolved?: true;
  /** A connection can be made, and its certificate is good. */
  connected?: true;
  /** Something answers. */
  reachable?: true;
  /** Where and as whom MCP asks to sign in; `status` 200 if it does not ask. */
  challenge?: Challenge;
  /** The protected-resource metadata that clients would use. */
  resource?: Document;
  /** Where it was found. */
  resourceUrl?: string;
  /** The first authorization server named there; else the origin, which is where old clients look. */
  issuer?: string;
  oauthMetadata?: Document;
  openidMetadata?: Document;
  /** Whichever of the two there is. */
  server?: Document;
  /** A server of this project, as far as can be seen. Of others, what only we promise is no failure. */
  ours?: true;
  keys?: readonly Readonly<Record<string, unknown>>[];
  /** Registration is open, whatever it says to one or the other. */
  registrable?: true;
  /** The shapes that the first registration stands for, if everything in it was kept. */
  accepted?: ReadonlySet<string>;
  client?: Client;
  /** One with an https redirect URI; usually the same. */
  webClient?: Client;
  /** An ordinary authorization request is accepted. */
  authorizable?: true;
  code?: Code;
  tokens?: Tokens;
  tools?: readonly Tool[];
}

export type Document = Readonly<Record<string, unknown>>;

export interface Challenge {
  readonly status: number;
  readonly metadataUrl: string | undefined;
  readonly scope: string | undefined;
}

export interface Client {
  readonly client_id: string;
  readonly client_secret?: string;
  readonly method: string;
  readonly redirectUris: readonly string[];
}

export interface Code {
  readonly code: string;
  readonly verifier: string;
  readonly redirectUri: string;
}

export interface Tokens {
  readonly access_token: string;
  readonly refresh_token?: string;
  readonly expires_in?: number;
}

export interface Tool {
  readonly name: string;
  readonly inputSchema?: Document;
  readonly outputSchema?: Document;
  readonly annotations?: Document;
  readonly description?: string;
}

/** A client that stays registered there. */
export interface Leftover {
  readonly clientId: string;
  readonly name: string;
  /** It could be deleted again (RFC 7592). */
  deleted: boolean;
  readonly management?: { readonly uri: string; readonly token: string };
}

/** What a fact is called in the reason for skipping a step. */
export const FACT_NAMES: Readonly<Record<keyof Facts, string>> = {
  resolved: 'an address of the server',
  connected: 'a connection that can be trusted',
  reachable: 'an answer from the server',
  challenge: 'an endpoint that speaks MCP',
  resource: 'protected-resource metadata',
  resourceUrl: 'protected-resource metadata',
  issuer: 'the address of the authorization server',
  oauthMetadata: 'authorization server metadata',
  openidMetadata: 'OpenID discovery',
  server: 'metadata of the authorization server',
  ours: 'a server of this project',
  keys: 'public keys',
  registrable: 'a registration endpoint that is open',
  accepted: 'a registered client',
  client: 'a registered client',
  webClient: 'a registered client with an https redirect URI',
  authorizable: 'an authorization request that is accepted',
  code: 'an authorization code',
  tokens: 'tokens',
  tools: 'a list of tools',
};

export type Outcome = 'pass' | 'warn' | 'fail' | 'skip';

export interface StepResult {
  readonly id: string;
  readonly title: string;
  readonly outcome: Outcome;
  /** What is wrong, or why the step was skipped. */
  readonly cause?: string;
  readonly fix?: string;
  readonly detail?: string;
  /** What else is wrong there. */
  readonly more?: readonly Explanation[];
}
