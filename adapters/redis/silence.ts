import { Cluster, type Redis } from 'ioredis';

/**
 * ioredis gives up a server that owes an answer and has said nothing for `socketTimeout`. It goes by a timer, and timers run
 * before whatever has arrived is read: after this process alone stood still (too much to do, a container that is throttled),
 * the answer is there, and its connection would be cut all the same, with every request on it. So one turn of the event loop
 * comes in between. If Redis stood still as well, nothing has arrived, and the connection is made anew as ever.
 */
export function readBeforeGivingUp(client: Redis | Cluster): void {
  if (client instanceof Cluster) client.on('+node', guardStreamsOf);
  else guardStreamsOf(client);
}

function guardStreamsOf(node: Redis): void {
  node.on('connect', () => {
    const { stream } = node;
    const destroy = stream.destroy.bind(stream);
    const destroyUnlessRead: typeof stream.destroy = (error) => {
      if (!error?.message.startsWith(TIMED_OUT)) return destroy(error);
      const read = () => clearImmediate(giveUp);
      const giveUp = setImmediate(() => {
        stream.off('data', read);
        destroy(error);
      });
      // ioredis itself begins to wait anew.
      stream.once('data', read);
      return stream;
    };
    stream.destroy = destroyUnlessRead;
  });
}

/** What ioredis says when it gives up; guarded by test/store/redis-stall.test.ts. */
const TIMED_OUT = 'Socket timeout.';
