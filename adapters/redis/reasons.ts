import { Cluster, type Redis } from 'ioredis';
import type { Log } from '../../log.ts';
import type { Client } from './client.ts';

/** Why Redis can't be reached or refuses: what may be told of an error, and what ioredis keeps to itself. */

/** What ioredis says of a command when its connection could not be made, whatever the reason. */
export const NO_REASON = 'Connection is closed.';

/** @returns gives the newest reason why a node or a sentinel could not be reached */
export const watchReasons = (client: Client, log: Log | undefined): (() => string | undefined) =>
  client instanceof Cluster ? watchNodes(client, log) : watchSentinels(client);

/**
 * Of a cluster, one line when a node can't be reached while others can, and one when it is back.
 * @returns gives the newest reason why a node could not be reached
 */
function watchNodes(cluster: Cluster, log: Log | undefined): () => string | undefined {
  let newest: string | undefined;
  const away = new Set<string>();
  const failed = (error: Error, node: string): void => {
    const problem = wordsOf(error);
    if (problem === NO_REASON) return;
    newest = problem;
    if (cluster.status !== 'ready' || away.has(node)) return;
    away.add(node);
    log?.warn({ event: 'store', node, problem }, 'store: a node of Redis cannot be reached');
  };
  cluster.on('node error', failed);
  cluster.on('+node', (added: Redis) => {
    const node = `${added.options.host}:${added.options.port}`;
    added.once('ready', () => {
      if (away.delete(node)) log?.info({ event: 'store', node }, 'store: connected to the node');
    });
    const { asking, duplicate } = added;
    // ioredis does not wait for its answer: a connection that breaks at that moment would end the process.
    added.asking = () => {
      const answer = asking.call(added);
      answer.catch(() => {});
      return answer;
    };
    // ioredis asks a copy for the slots, and keeps to itself why that could not connect.
    added.duplicate = (options) => {
      const copy = duplicate.call(added, options);
      copy.on('error', (error) => failed(error, node));
      return copy;
    };
  });
  return () => newest;
}

/** @returns gives the newest reason why a sentinel could not be reached */
function watchSentinels(client: Redis): () => string | undefined {
  let newest: string | undefined;
  const { connector } = client as unknown as { connector: SentinelConnector };
  const connect = connector.connectToSentinel;
  if (connect) {
    connector.connectToSentinel = (...args) => {
      const asking = connect.apply(connector, args);
      // Those that only wait for news of a failover have no other listener, and would be written to stderr.
      asking.on('error', (error) => (newest = wordsOf(error)));
      return asking;
    };
  }
  return () => newest;
}

/** What ioredis does not show of itself; there for sentinels only. */
interface SentinelConnector {
  connectToSentinel?(...args: unknown[]): Redis;
}

const MAX_WORDS = 160;
const CUT_OFF = 'the connection was closed before an answer came';
/** Of a connection that was opened and never of any use. */
export const NEVER_ANSWERED =
  'it closes connections without an answer: it has as many as it takes (maxclients), expects TLS, or is no Redis';

/** What ioredis says of its own insides. */
const IN_PLAIN_WORDS: readonly (readonly [RegExp, string])[] = [
  [/^(Reached the max retries|Stream isn't writeable)/, CUT_OFF],
  [/^Unknown RESP type/, 'it does not answer as Redis does'],
];

/**
 * What an error says, without what it carries (those of ioredis have the whole command with them, and Redis repeats
 * arguments of commands it does not know) and without what is different every time.
 */
export function wordsOf(error: Error & { lastNodeError?: Error }): string {
  const { message, lastNodeError } = error;
  const words =
    (lastNodeError ?? error).message || (error as NodeJS.ErrnoException).code || message;
  const plain = IN_PLAIN_WORDS.find(([pattern]) => pattern.test(words));
  if (plain) return plain[1];
  return words
    .replace(/ Retrying from scratch after \d+ms\./, '')
    .split(/, with args beginning|: `/)[0]!
    .slice(0, MAX_WORDS);
}
