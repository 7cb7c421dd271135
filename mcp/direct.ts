import type { AuthInfo, JSONRPCRequest, McpServer } from '@modelcontextprotocol/server';
import { Line, LineClosed, type RpcAnswer } from './line.ts';
import type { PlainRequest } from './plain-request.ts';
import type { Era } from './pool.ts';
import { MODERN_VERSION } from './protocol-version.ts';

/** For requests at the same time; what goes beyond is built for one of them. */
const MAX_IDLE = 64;

export interface DirectExchange {
  readonly authInfo: AuthInfo;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
}

export type AnswerDirectly = ReturnType<typeof createDirect>;

/**
 * Answers plain requests by servers that stay connected, each to a line of its own. Like those of the pool they serve one
 * exchange at a time, and who is calling travels with the exchange.
 */
export function createDirect(build: () => McpServer) {
  const idle: Record<Era, Line[]> = { legacy: [], modern: [] };
  /** What tools/list says, as JSON: the same for everybody, and longer than all else. */
  const lists: Partial<Record<Era, Buffer>> = {};

  /** @returns the JSON-RPC answer as JSON; undefined if the client has gone */
  async function answerDirectly(
    { era, request }: PlainRequest,
    { authInfo, signal }: DirectExchange,
  ): Promise<string | Buffer | undefined> {
    const isList = request.method === 'tools/list';
    const list = isList ? lists[era] : undefined;
    if (list) return withId(request, list);
    const line = idle[era].pop() ?? (await connect(era));
    const answer = await unlessGone(line, signal, () => line.ask(request, authInfo));
    if (!answer) return undefined;
    if (idle[era].length < MAX_IDLE) idle[era].push(line);
    else void line.close();
    if (isList && 'result' in answer) lists[era] = Buffer.from(JSON.stringify(answer.result));
    return JSON.stringify(answer);
  }

  async function connect(era: Era): Promise<Line> {
    const line = new Line(era === 'modern' ? { era, revision: MODERN_VERSION } : { era });
    await build().connect(line);
    return line;
  }

  const idleNow = () => ({ legacy: idle.legacy.length, modern: idle.modern.length });
  return Object.assign(answerDirectly, { idle: idleNow });
}

/** @returns undefined if the client has gone meanwhile; the line is closed then */
async function unlessGone(
  line: Line,
  signal: AbortSignal,
  ask: () => Promise<RpcAnswer>,
): Promise<RpcAnswer | undefined> {
  const hangUp = () => void line.close();
  if (signal.aborted) return void hangUp();
  signal.addEventListener('abort', hangUp);
  try {
    return await ask();
  } catch (error) {
    if (error instanceof LineClosed) return undefined;
    throw error;
  } finally {
    signal.removeEventListener('abort', hangUp);
  }
}

const withId = ({ id }: JSONRPCRequest, result: Buffer): Buffer =>
  Buffer.concat([
    Buffer.from(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":`),
    result,
    Buffer.from('}'),
  ]);
