import { Agent, type IncomingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';

/**
 * Requests as no polite client sends them: any Host, any path, any bytes. `fetch` would tidy them up first.
 */
export interface Sending {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  readonly body?: string | Buffer;
  /** Sent in chunks, without a declared length. */
  readonly chunked?: boolean;
}

export interface Received {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  /** Status line aside, everything that came back. */
  readonly everything: string;
  /** The parsed body; undefined if it is not JSON. */
  readonly json: any;
}

const agent = new Agent({ keepAlive: true });

/** @param path goes over the wire as it is written here */
export function send(base: string, path: string, sending: Sending = {}): Promise<Received> {
  const { hostname, port } = new URL(base);
  const { method = 'GET', headers = {}, body, chunked } = sending;
  const framing = chunked
    ? { 'transfer-encoding': 'chunked' }
    : body !== undefined && { 'content-length': Buffer.byteLength(body) };
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { agent, hostname, port, path, method, headers: { ...framing, ...headers } },
      async (answer) => {
        const chunks: Buffer[] = [];
        try {
          for await (const chunk of answer) chunks.push(chunk as Buffer);
        } catch (error) {
          return reject(error);
        }
        const text = Buffer.concat(chunks).toString();
        const everything = `${answer.rawHeaders.join('\n')}\n\n${text}`;
        resolve({
          status: answer.statusCode!,
          headers: answer.headers,
          text,
          everything,
          json: parse(text),
        });
      },
    );
    // After the answer has come, a broken pipe is the server's good right: it did not want the rest.
    outgoing.on('error', reject);
    if (chunked) outgoing.write(body);
    outgoing.end(chunked ? undefined : body);
  });
}

/** Longer than our server lets a request take to arrive, so that its time-out is seen, too. */
const FIRST_ANSWER_MS = 30_000;

/**
 * Writes bytes to the socket and returns what comes back until the server closes or stays silent.
 * @param quietMs how long it may be silent after something has come
 * @param firstMs how long until something comes
 */
export function sendBytes(
  base: string,
  bytes: string | Buffer,
  quietMs = 3_000,
  firstMs = FIRST_ANSWER_MS,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const socket = connect(Number(new URL(base).port), '127.0.0.1');
    const finish = () => {
      socket.destroy();
      resolve(Buffer.concat(chunks).toString('latin1'));
    };
    // The first answer has its time, however busy the machine is; what would follow it comes at once.
    socket.setTimeout(firstMs, finish);
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      socket.setTimeout(quietMs);
    });
    socket.on('close', finish);
    socket.on('error', reject);
    socket.write(bytes);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
