import type { Harness } from '../support/harness.ts';

/** What a suite is given: a running server, somebody who signs in, and a place for its files. */
export interface Ground {
  readonly harness: Harness;
  /** Opens an authorization URL, allows what is asked, signs in, and goes on to the client's redirect URI. */
  signIn(authorizationUrl: string): Promise<void>;
  /** A directory of its own, gone afterwards. */
  readonly dir: string;
}

export interface Suite {
  readonly name: string;
  /** @throws with what the suite printed, when it is not content */
  run(ground: Ground): Promise<void>;
}
