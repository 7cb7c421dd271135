import type { Cluster, Command, Redis } from 'ioredis';

/**
 * What became of a command that failed. ioredis says "Connection is closed." of one that waited for its connection and
 * was never written, and of one that Redis may have carried out; for us that is all the difference.
 */

/** Redis did not carry it out: it was never written, or Redis answered that it is not the time or the place. */
export class NotCarriedOut extends Error {
  override name = 'NotCarriedOut';
}

/** From now on the commands of this client fail with NotCarriedOut if that is certain. */
export function tracked<Client extends Redis | Cluster>(client: Client): Client {
  const send: Cluster['sendCommand'] = client.sendCommand;
  client.sendCommand = (command: Command, ...rest: [WriteableStream?]): unknown =>
    track(command, () => send.call(client as Cluster, command, ...rest));
  return client;
}

type WriteableStream = Parameters<Redis['sendCommand']>[1];

/** What is put in the place of functions is a constant first, and then assigned: see docs/performance.md, What grows old. */
function track(command: Command, send: () => unknown): unknown {
  /** Written, and not answered since. */
  let open = false;
  const { toWritable, reject } = command;
  const noteWriting: typeof toWritable = (socket) => {
    open = true;
    return toWritable.call(command, socket);
  };
  const fail = (error: Error): void =>
    reject(open || isFinal(error) ? error : notCarriedOut(error));
  command.toWritable = noteWriting;
  command.reject = fail;

  const sent = send();
  // By now a cluster has put its own in front: it follows redirections, each of which is an answer, too.
  const follow = command.reject;
  const failOrFollow = (error: Error): void => {
    if (isReply(error)) open = false;
    // ioredis would ask any node, and soon give up.
    if (error.message.startsWith('TRYAGAIN ')) fail(error);
    else follow(error);
  };
  command.reject = failOrFollow;
  return sent;
}

const isReply = (error: Error): boolean => error.name === 'ReplyError';

/** An answer of Redis to the command itself. */
const isFinal = (error: Error): boolean => isReply(error) && !NOT_HERE_OR_NOW.test(error.message);

/** These are answered before anything of a command, or of a script, is carried out. */
const NOT_HERE_OR_NOW = /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN|MASTERDOWN|LOADING) /;

/** Whether Redis has said something, be it a refusal. */
export const isAnswer = (error: Error): boolean =>
  isReply(error) || NOT_HERE_OR_NOW.test(error.message);

const notCarriedOut = (error: Error & { lastNodeError?: Error }): NotCarriedOut =>
  new NotCarriedOut((error.lastNodeError ?? error).message);
