import { setTimeout as wait } from 'node:timers/promises';
import { StoreUnavailable } from '../errors.ts';
import { withoutPatience } from './patience.ts';

/**
 * Offers to the store again and again what it did not take, in the background of whatever goes on meanwhile; a process
 * that ends does not wait for it.
 *
 * @param write may be called again after it failed
 * @param terms.everyMs also before the first time
 * @throws StoreUnavailable when it was in vain, and what `write` throws beside it
 */
export function keepTrying(
  write: () => Promise<unknown>,
  terms: { readonly everyMs: number; readonly tries: number },
): Promise<void> {
  return withoutPatience(async () => {
    for (let tries = 1; ; tries++) {
      await wait(terms.everyMs, undefined, { ref: false });
      try {
        await write();
        return;
      } catch (error) {
        if (!(error instanceof StoreUnavailable) || tries === terms.tries) throw error;
      }
    }
  });
}
