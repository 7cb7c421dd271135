import { ServerResponse } from 'node:http';

/**
 * Loaded into a server with `--import`: faults of ours that nobody catches, on a signal, and an address that is never
 * answered. Nothing of it is reachable in the product.
 */

/** In the messages of the errors; must not get into a log. */
export const CANARY = 'crash-canary-0123456789abcdefghijklmnopqrstuvwxyz';
export const NEVER_ANSWERED = '/robots.txt?never';

process.on('SIGUSR2', () => {
  setImmediate(function nobodyCatchesThis() {
    throw new TypeError(`undefined is not ${CANARY}`);
  });
});

process.on('SIGHUP', () => {
  void Promise.reject(new RangeError(`rejected with ${CANARY}`));
});

const end = ServerResponse.prototype.end;
ServerResponse.prototype.end = function (this: ServerResponse, ...parts: Parameters<typeof end>) {
  if (this.req.url === NEVER_ANSWERED) return this;
  return end.apply(this, parts);
} as typeof end;
