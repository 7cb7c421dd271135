import { mock } from 'node:test';

/**
 * One clock for everybody in this process, the engine and the clients included, which know no injected one. It stands
 * still until it is moved. To be called before anything is started.
 *
 * @param now epoch milliseconds
 */
export function stopTime(now = Date.now()): { advance(milliseconds: number): void } {
  mock.timers.enable({ apis: ['Date'], now });
  return { advance: (milliseconds) => mock.timers.tick(milliseconds) };
}
