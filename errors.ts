/**
 * The one error the edges know how to render. It is thrown where something is refused and turned into OAuth JSON,
 * JSON-RPC or an HTML page at the edge, by whoever knows what the reader understands.
 *
 * `description` is public and deliberately vague where the RFCs want it so; `detail` is for the log only.
 * The properties `message`, `statusCode`, `expose`, `error_description` and `allow_redirect` are what koa and
 * oidc-provider look for in an error, so both render a Refusal as it is meant.
 */
export class Refusal extends Error {
  /** Wire code, e.g. `invalid_grant` (RFC 6749 §5.2) or `temporarily_unavailable`. */
  readonly code: string;
  /** HTTP status. */
  readonly status: number;
  /** Public sentence; safe to show to a stranger. */
  readonly description: string;
  /** The distinct cause, for the log only. Never contains a secret. */
  readonly detail: string | undefined;
  /** Seconds after which a retry makes sense (sent as Retry-After). */
  readonly retryAfterSeconds: number | undefined;
  readonly expose = true;
  readonly allow_redirect = false;

  constructor(
    code: string,
    status: number,
    description: string,
    more: { detail?: string; retryAfterSeconds?: number; cause?: unknown } = {},
  ) {
    super(code, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'Refusal';
    this.code = code;
    this.status = status;
    this.description = description;
    this.detail = more.detail;
    this.retryAfterSeconds = more.retryAfterSeconds;
  }

  get statusCode(): number {
    return this.status;
  }

  get error_description(): string {
    return this.description;
  }

  get error_detail(): string | undefined {
    return this.detail;
  }
}

/**
 * The store cannot answer in time. Always rendered as 503 with Retry-After, never as an error that makes a client
 * throw its credentials away.
 */
export class StoreUnavailable extends Refusal {
  constructor(detail: string, cause?: unknown) {
    super('temporarily_unavailable', 503, 'The service is temporarily unavailable. Try again.', {
      detail,
      retryAfterSeconds: 1,
      cause,
    });
    this.name = 'StoreUnavailable';
  }
}
