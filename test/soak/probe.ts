import type { Sample } from './server.ts';

/** Loaded into the server with `--import`; answers every message with what the process holds, after a collection. */
process.on('message', () => {
  gc!();
  const { rss, heapUsed } = process.memoryUsage();
  const sample: Sample = {
    rss,
    heap: heapUsed,
    handles: Object.fromEntries(
      Map.groupBy(process.getActiveResourcesInfo(), (type) => type)
        .entries()
        .map(([type, all]) => [type, all.length]),
    ),
  };
  process.send!(sample);
});
// The channel alone must not keep the server from ending.
process.channel!.unref();
