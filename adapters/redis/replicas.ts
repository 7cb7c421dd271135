import { Command } from 'ioredis';
import type { Client } from './client.ts';
import { nodeAt, ownerOf } from './nodes.ts';
import { wordsOf } from './reasons.ts';

/**
 * Whether what was written would survive the loss of the primary. Redis answers before its replicas have a write, and a
 * failover then takes the write back, which for what may happen once only is not good enough (WAIT, security of codes).
 */
export interface Replicas {
  /**
   * @param name of a record: all that this process wrote so far, to the server that holds it, is asked about
   * @returns false if no replica says within 100 ms that it has it
   */
  haveAllUpTo(name: string): Promise<boolean>;
  /** There is a new connection, maybe to another primary with other replicas. */
  lookAgain(): void;
}

/** Whoever chooses a new primary prefers the replica that has most. */
const ENOUGH = 1;
/** Everything else on the connection waits as well. */
const WAIT_MS = 100;
/** While a replica is slow the waiting must not become everybody's: it is asked so often. */
const ASK_AGAIN_MS = 1_000;

/** WAIT may be forbidden or missing where a service keeps its replicas to itself. */
const NOT_FOR_US = /^NOPERM|unknown command/i;

/** @param tell hears, in a sentence, why replicas can't be asked */
export function createReplicas(client: Client, tell: (weaknesses: string[]) => void): Replicas {
  /** By address, when to ask again, by performance.now(). */
  const slow = new Map<string, number>();
  return {
    async haveAllUpTo(name) {
      const address = ownerOf(client, new Command('get', [name]).getSlot());
      if (performance.now() < (slow.get(address) ?? 0)) return false;
      try {
        if ((await nodeAt(client, address).wait(ENOUGH, WAIT_MS)) >= ENOUGH) return true;
      } catch (error) {
        if ((error as Error).name !== 'ReplyError') throw error;
        if (NOT_FOR_US.test((error as Error).message)) {
          tell([
            `Redis has replicas and does not let us wait for them (${wordsOf(error as Error)}): a failover may let a code be redeemed twice`,
          ]);
          return true;
        }
        // It has just become a replica itself.
      }
      slow.set(address, performance.now() + ASK_AGAIN_MS);
      return false;
    },
    lookAgain: () => slow.clear(),
  };
}
