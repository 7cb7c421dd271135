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
    handler.onRequestStart = (controller, context) => {
      if (sending) sending.isSent = true;
      start?.call(handler, controller, context);
    };
    return dispatch(options, handler);
  };
