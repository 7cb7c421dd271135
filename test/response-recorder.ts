import { ServerResponse } from 'node:http';

/** An answer as it left a server of this process. */
export interface RecordedResponse {
  readonly port: number;
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  /** Status line, headers and body. */
  readonly text: string;
}

/**
 * Records every answer that any HTTP server of this process gives, until `stop`. It sits below all frameworks, so
 * nothing that is sent can bypass it.
 */
export function recordResponses(): { responses: RecordedResponse[]; stop(): void } {
  const responses: RecordedResponse[] = [];
  const chunks = new WeakMap<ServerResponse, Buffer[]>();
  const { write, end } = ServerResponse.prototype;
  const keep = (response: ServerResponse, chunk: unknown, encoding: unknown): void => {
    if (typeof chunk !== 'string' && !(chunk instanceof Uint8Array)) return;
    const known = chunks.get(response) ?? [];
    chunks.set(response, known);
    const bytes =
      typeof chunk === 'string'
        ? Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8')
        : Buffer.from(chunk);
    known.push(bytes);
  };

  ServerResponse.prototype.write = function recordedWrite(this: ServerResponse, ...args: never[]) {
    keep(this, args[0], args[1]);
    return (write as (...args: unknown[]) => boolean).apply(this, args);
  } as typeof write;
  ServerResponse.prototype.end = function recordedEnd(this: ServerResponse, ...args: never[]) {
    const port = this.req.socket.localPort ?? 0;
    keep(this, args[0], args[1]);
    const ended = (end as (...args: unknown[]) => ServerResponse).apply(this, args);
    responses.push({
      port,
      method: this.req.method ?? '',
      path: this.req.url ?? '',
      text: [
        this.statusCode,
        JSON.stringify(this.getHeaders()),
        Buffer.concat(chunks.get(this) ?? []).toString(),
      ].join('\n'),
    });
    return ended;
  } as typeof end;

  return {
    responses,
    stop() {
      Object.assign(ServerResponse.prototype, { write, end });
    },
  };
}
