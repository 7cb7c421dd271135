import type { Dispatcher } from 'undici';

/** Whether a request got a connection. What had none can't have been carried out. */
export interface Sending {
  isSent: boolean;
}

/** Notes it of each request that has a `sending` among its options. */
export const noteDispatch: Dispatcher.DispatcherComposeInterceptor =
  (dispatch) => (options, handler) => {
    const { sending } = options as { sending?: Sending };
    const start = handler.onRequestStart;
    const noteStart: typeof start = (controller, context) => {
      if (sending) sending.isSent = true;
      start?.call(handler, controller, context);
    };
    // Not written here: see docs/performance.md, What grows old.
    handler.onRequestStart = noteStart;
    return dispatch(options, handler);
  };

/**
 * What a request brings, unless its signal is aborted before: while a request waits for a connection, undici does not listen
 * to it.
 *
 * @throws the reason of the signal
 */
export async function unlessOver<T>(asked: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: over, reject } = Promise.withResolvers<never>();
  const end = () => reject(signal.reason);
  if (signal.aborted) end();
  signal.addEventListener('abort', end);
  try {
    return await Promise.race([asked, over]);
  } finally {
    signal.removeEventListener('abort', end);
  }
}
