import {
  type AuthInfo,
  type JSONRPCErrorResponse,
  type JSONRPCMessage,
  type JSONRPCRequest,
  type JSONRPCResultResponse,
  type MessageClassification,
  PerRequestHTTPServerTransport,
} from '@modelcontextprotocol/server';

export type RpcAnswer = JSONRPCResultResponse | JSONRPCErrorResponse;

/**
 * A transport between one server and one exchange after the other, of which each is over before the next begins. The
 * SDK's own transports serve a single exchange each; connecting, closing and the web's Request and Response around them
 * cost more than the call itself.
 *
 * It is one of theirs, because a server that is connected to one of these serves the revision it was made for.
 */
export class Line extends PerRequestHTTPServerTransport {
  readonly #classification: MessageClassification;
  #awaited: { resolve(answer: RpcAnswer): void; reject(error: Error): void } | undefined;
  #isClosed = false;

  constructor(classification: MessageClassification) {
    super({ classification });
    this.#classification = classification;
  }

  /**
   * Has the server answer a request. What it says beside the answer is dropped.
   *
   * @throws LineClosed
   */
  ask(request: JSONRPCRequest, authInfo: AuthInfo): Promise<RpcAnswer> {
    if (this.#awaited) throw new TypeError('the exchange before is not over');
    return new Promise((resolve, reject) => {
      if (this.#isClosed) throw new LineClosed();
      this.#awaited = { resolve, reject };
      this.onmessage?.(request, { authInfo, classification: this.#classification });
    });
  }

  override async send(message: JSONRPCMessage): Promise<void> {
    // What a server says by itself names a method.
    if ('method' in message) return;
    const awaited = this.#awaited;
    this.#awaited = undefined;
    awaited?.resolve(message);
  }

  /** Ends what is under way on both sides, and the line. */
  override async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#awaited?.reject(new LineClosed());
    this.#awaited = undefined;
    this.onclose?.();
  }
}

export class LineClosed extends Error {
  override name = 'LineClosed';
}
