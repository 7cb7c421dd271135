/**
 * The seam to NeonPanel: signing a user in, keeping the credential alive, and calling the REST API. Implementations:
 * oauth.ts and api.ts. Nothing else in the project talks to NeonPanel.
 */

import type { AnswerAccount } from './answer-room.ts';

/** What NeonPanel gave us for one user. Lives sealed in the store, in memory only while it is used. */
export interface NeonpanelCredential {
  readonly accessToken: string;
  readonly refreshToken: string | undefined;
  /** Epoch milliseconds after which the access token must not be used. */
  readonly expiresAt: number;
  /** Of a service account: what the next access token is had with, instead of a refresh token. */
  readonly service?: ServiceLogin | undefined;
}

/** A NeonPanel client that acts for itself (RFC 6749 §4.4). */
export interface ServiceLogin {
  readonly clientId: string;
  readonly clientSecret: string;
  /** Whom NeonPanel took it for when it was given to us; a token for anyone else is not taken. */
  readonly subject: string;
}

/** What the browser brings back from NeonPanel's login, and what we kept meanwhile. */
export interface Callback {
  readonly parameters: URLSearchParams;
  readonly state: string;
  readonly codeVerifier: string;
}

export interface NeonpanelLogin {
  /** The address to send the browser to (authorization code + PKCE S256, RFC 6749 §4.1.1, RFC 7636). */
  begin(request: { state: string; codeVerifier: string }): Promise<URL>;
  /**
   * Exchanges the callback's code and proves whose it is: token verified by NeonPanel's JWKS, API access tried once.
   * @throws NeonpanelError kind `refused` (the user cancelled or the code is bad) or `unavailable`
   */
  complete(callback: Callback): Promise<{ subject: string; credential: NeonpanelCredential }>;
  /**
   * Who signed in, where that is all that is asked: the API need not answer.
   * @returns also names of up to ten companies of the user, none if the API does not say
   * @throws NeonpanelError as `complete`
   */
  identify(callback: Callback): Promise<{
    subject: string;
    credential: NeonpanelCredential;
    companies: readonly string[];
  }>;
  /**
   * Gets NeonPanel's metadata and our client there at hand, so that a refresh does not spend its lease on them.
   * @throws NeonpanelError kind `unavailable`, StoreUnavailable
   */
  prepare(): Promise<void>;
  /**
   * One refresh; never retried here, because a refresh whose outcome is unknown may have rotated the token.
   * @param subject whose credential it is; an answer for anyone else is not taken
   * @throws NeonpanelError kind `refused` when NeonPanel says the credential is dead, `unavailable` otherwise
   */
  refresh(credential: NeonpanelCredential, subject: string): Promise<NeonpanelCredential>;
  /**
   * The first credential of a service account, proved like a user's.
   * @throws NeonpanelError kind `refused` when NeonPanel does not take the client, `unavailable` otherwise
   */
  signInService(client: { clientId: string; clientSecret: string }): Promise<NeonpanelCredential>;
  /**
   * Ends a credential at NeonPanel, if NeonPanel says how (RFC 7009). Bounded in time.
   * @returns false if it offers no revocation
   * @throws NeonpanelError
   */
  revoke(credential: NeonpanelCredential): Promise<boolean>;
}

export type QueryValue = string | number | readonly (string | number)[] | undefined;

/** One call to the REST API. `path` is relative to NEONPANEL_API_URL and starts with a slash. */
export interface ApiRequest {
  readonly method: 'GET' | 'POST';
  /** Already encoded segments, e.g. `/companies/${encodeURIComponent(uuid)}/warehouses`. */
  readonly path: string;
  readonly query?: Readonly<Record<string, QueryValue>>;
  /** JSON body of a POST. */
  readonly body?: unknown;
  readonly accessToken: string;
  /** Aborted when the caller gave up; the socket is closed then. */
  readonly signal?: AbortSignal | undefined;
  /** Epoch milliseconds; the call incl. its one retry ends before this. */
  readonly deadline: number;
  /** Of the HTTP request that the answer is for; without it the answer is over when the call is. */
  readonly answers?: AnswerAccount | undefined;
  /** Whose share of the calls at a time it takes; without it the call has one of its own. */
  readonly grant?: string | undefined;
}

/** A 2xx answer, parsed loosely. */
export interface ApiResponse {
  readonly status: number;
  /** Parsed JSON, or the text itself where NeonPanel answered text/plain. */
  readonly body: unknown;
  readonly retryAfterSeconds: number | undefined;
}

export interface NeonpanelApi {
  /**
   * @throws NeonpanelError for every answer that is not 2xx, and for every failure to get one; NoTurn, TooMuchAtOnce if
   * too much is asked for at a time
   */
  call(request: ApiRequest): Promise<ApiResponse>;
  close(): Promise<void>;
}

export type NeonpanelErrorKind =
  /** 400, 404, 415, 422 …: the request was understood and refused; `fields` may say which */
  | 'rejected'
  /** 401: the access token is not accepted */
  | 'unauthorized'
  /** 403: not permitted for this company or resource */
  | 'forbidden'
  /** 429 */
  | 'rate_limited'
  /** what was read is more than can be passed on: less has to be asked for */
  | 'too_large'
  /** 5xx, reset, DNS, time-out, body too large, not JSON */
  | 'unavailable'
  /** OAuth only: the user, the code or the refresh token was refused for good */
  | 'refused';

/** Everything that can go wrong at NeonPanel. `detail` (status, redacted body start) is for the log, never shown. */
export class NeonpanelError extends Error {
  readonly kind: NeonpanelErrorKind;
  readonly status: number | undefined;
  readonly detail: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  /** False if it is certain that NeonPanel never got the request. */
  readonly wasSent: boolean;
  /** Laravel's 422 `errors`: field name to messages; values are NeonPanel's words, cut to a safe length. */
  readonly fields: Readonly<Record<string, readonly string[]>> | undefined;

  constructor(
    kind: NeonpanelErrorKind,
    message: string,
    more: {
      status?: number;
      detail?: string;
      retryAfterSeconds?: number;
      fields?: Record<string, string[]>;
      wasSent?: boolean;
      cause?: unknown;
    } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'NeonpanelError';
    this.kind = kind;
    this.status = more.status;
    this.detail = more.detail;
    this.retryAfterSeconds = more.retryAfterSeconds;
    this.fields = more.fields;
    this.wasSent = more.wasSent ?? true;
  }
}

/** Of a request that brought no answer. What is known already, such as how long to wait, is kept. */
export const notReached = (message: string, cause: unknown): NeonpanelError =>
  cause instanceof NeonpanelError ? cause : new NeonpanelError('unavailable', message, { cause });

/** True of NeonPanel's 403 and 404, which it says alike of what is not there and of what is not this user's. */
export const isMiss = (error: unknown): boolean =>
  error instanceof NeonpanelError && (error.status === 403 || error.status === 404);
