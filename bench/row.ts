/** One comparison: the same request against our server and against a peer, in alternating rounds. */
export interface Row {
  readonly name: string;
  /** What the comparison shows, in a sentence. */
  readonly why: string;
  /** What the peer is. */
  readonly peer: string;
  readonly ours: Contestant;
  readonly peerServer: Contestant;
}

export interface Contestant {
  /** Arguments of node, e.g. `['server.ts']`, relative to the project. */
  readonly command: readonly string[];
  /** Environment of the process; it must listen on the port it is told. */
  env(port: number, directory: string): Record<string, string>;
  /** Polled until it answers 200. */
  readonly readyPath: string;
  readonly request: Shot;
}

/** The request that is repeated. */
export interface Shot {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Default: every answer must be 2xx. */
  readonly expectStatus?: number;
}
