import type { Provider } from 'oidc-provider';
import { StoreUnavailable } from '../errors.ts';
import type { KeySet } from '../keys/key-set.ts';
import { createProvider, type ProviderOptions } from './provider.ts';

/**
 * The engine for the signing keys in force. When they change, the next request gets a new one; those under way finish on
 * the old.
 */
export interface Engine {
  (): Provider;
  /** An engine that must not be used is found at start, not by the first request. Without keys there is none yet. */
  assertUsable(): void;
}

/** @param options.keys the key set in force; a changed one is noticed by identity */
export function createEngine(
  options: Omit<ProviderOptions, 'keys'> & { readonly keys: () => KeySet },
): Engine {
  let made: { keys: KeySet; provider: Provider } | undefined;

  function engine(): Provider {
    const keys = options.keys();
    if (made?.keys !== keys) made = { keys, provider: createProvider({ ...options, keys }) };
    return made.provider;
  }

  return Object.assign(engine, {
    assertUsable() {
      try {
        engine();
      } catch (error) {
        if (!(error instanceof StoreUnavailable)) throw error;
      }
    },
  });
}
