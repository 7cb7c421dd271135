/** Who is calling: read from a verified access token, never from anything else in the request. */
export interface Caller {
  /** NeonPanel's subject. */
  readonly accountId: string;
  readonly clientId: string;
  readonly grantId: string;
  readonly scopes: ReadonlySet<string>;
}
