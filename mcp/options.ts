import type { AccessTokenVerifier } from '../keys/access-token.ts';
import type { Credentials } from './credentials.ts';
import type { AnswerDirectly } from './direct.ts';
import type { LendServer } from './exchange.ts';

/** What both transports are made of. */
export interface McpOptions {
  readonly publicUrl: string;
  /** Origins whose pages may call; `loopback` stands for every loopback origin. */
  readonly allowedOrigins: readonly string[];
  /** Anyone may initialize and list the tools. */
  readonly publicDiscovery: boolean;
  readonly accessTokens: AccessTokenVerifier;
  /** Looks whether the keys are still the same, if that was not done for 800 ms; true if it had to look. */
  readonly freshenKeys: () => Promise<boolean>;
  readonly credentials: Credentials;
  readonly lend: LendServer;
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** What only the transport of POST /mcp needs. */
export interface DirectOptions {
  readonly direct: AnswerDirectly;
  /** What a token must have for the tool of this name. */
  readonly scopesByTool: ReadonlyMap<string, readonly string[]>;
}

/** Everything about a call ends within this; clients give up at about 60 s. */
export const CALL_DEADLINE_MS = 25_000;
