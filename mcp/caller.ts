/** Who is calling: read from a verified access token, never from anything else in the request. */
export interface Caller {
  /** NeonPanel's subject; of a service client `service:<client_id>`. */
  readonly accountId: string;
  readonly clientId: string;
  readonly grantId: string;
  /** When the token was issued, epoch seconds. */
  readonly issuedAt: number;
  readonly scopes: ReadonlySet<string>;
}
