import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import type { AuthInfo, McpServer } from '@modelcontextprotocol/server';
import type { ToolContext } from '../../mcp/tools/tool.ts';
import {
  authInfo,
  callTool,
  ERAS,
  factory,
  mcpHost,
  messageOf,
  pooledHandler,
  rpc,
} from './support/mcp-host.ts';
import { eventually } from './support/http-stub.ts';

const CALLERS = 50;
/** `npm run test:long` makes a million of them. */
const CALLS = process.env.LONG_TESTS ? 1_000_000 : 20_000;
const COMPANY = 'a'.repeat(40);

/** A NeonPanel that takes its time and then says who asked and for what. */
function echoFor({ clientId }: AuthInfo): ToolContext {
  const get: ToolContext['neonpanel']['get'] = async (_path, query) => {
    for (let turns = Math.floor(Math.random() * 4); turns > 0; turns--) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    const body = { caller: clientId, asked: query?.['search'] };
    return { status: 200, body, retryAfterSeconds: undefined };
  };
  const unused = () => Promise.reject(new Error('unused'));
  return { neonpanel: { get, post: unused }, webUrl: 'https://my.neonpanel.test', once: unused };
}

/**
 * Sends `count` calls, `parallel` at a time, all with the same JSON-RPC id and each by one of fifty callers.
 *
 * @returns how many results did not name their own caller and their own question
 */
async function crossings(build: () => McpServer, count: number, parallel: number) {
  let built = 0;
  const { handler, answerPlain, borrow } = pooledHandler(() => ((built += 1), build()));
  let crossed = 0;
  let answered = 0;
  let abandoned = 0;
  let direct = 0;

  async function one(i: number): Promise<void> {
    const caller = `caller-${i % CALLERS}`;
    const search = `question-${i}`;
    const leaves = i % 13 === 0 ? new AbortController() : undefined;
    const isBad = i % 10 === 0;
    const args = { companyUuid: COMPANY, search, ...(isBad ? { page: 0 } : {}) };
    // Whoever wants progress is served by the SDK's transport, the others directly.
    const meta = i % 3 === 0 ? { _meta: { progressToken: 1 } } : {};
    const params = { name: 'listWarehouses', arguments: args, ...meta };
    const { headers, body } = rpc(ERAS[i % 2]!, 'tools/call', params, 1);
    const gone = leaves?.signal ?? new AbortController().signal;
    const loan = borrow(authInfo({ clientId: caller }));
    // As toNodeHandler does it: a client that leaves after the answer was written is no abort any more.
    let finished = false;
    const response = answer().finally(() => {
      finished = true;
      return loan.giveBack();
    });
    if (leaves) {
      setImmediate(() => finished || leaves.abort());
      await response.catch(() => {});
      abandoned += 1;
      return;
    }
    const { id, result } = messageOf(await response);
    answered += 1;
    const mine = isBad
      ? result.isError === true && /page: must be at least 1/.test(result.content[0].text)
      : result.structuredContent?.caller === caller && result.structuredContent.asked === search;
    if (!mine || id !== 1) crossed += 1;

    async function answer(): Promise<string> {
      const plain = await answerPlain({ headers, body }, loan.auth, gone);
      if (plain) return ((direct += 1), plain);
      const init = { method: 'POST', headers, body: JSON.stringify(body), signal: gone };
      const request = new Request('http://mcp.test/mcp', init);
      const options = { authInfo: loan.auth, parsedBody: body };
      return (await handler.fetch(request, options)).text();
    }
  }

  let next = 0;
  const worker = async () => {
    while (next < count) await one(next++);
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  await handler.close();
  return { crossed, answered, abandoned, direct, built };
}

test(`[T7] ${CALLS} interleaved calls with equal ids by 50 callers over pooled servers: each result names its own caller`, async (t) => {
  const build = factory({ contextFor: echoFor });
  const { crossed, answered, abandoned, direct, built } = await crossings(build, CALLS, 100);
  t.is(crossed, 0);
  t.is(answered + abandoned, CALLS);
  t.true(answered > CALLS * 0.9);
  t.true(direct > CALLS * 0.5 && direct < CALLS * 0.7, `${direct} directly`);
  t.true(built < 2_000, `built ${built}`);
});

test('[T7] the same calls over servers that remember a caller would be caught', async (t) => {
  const forgetful = () => {
    let remembered: AuthInfo | undefined;
    return factory({ contextFor: (info) => echoFor((remembered ??= info)) })();
  };
  const { crossed } = await crossings(forgetful, 1_000, 50);
  t.true(crossed > 100);
});

for (const era of ERAS) {
  test(`[T7] ${era}: a client that disconnects late does not cut the call of the next one on the same server`, async (t) => {
    let calls = 0;
    let release!: () => void;
    const released = new Promise<void>((resolve) => (release = resolve));
    const contextFor = (info: AuthInfo): ToolContext => {
      const isFirst = calls++ === 0;
      const get = async () => {
        if (!isFirst) await released;
        // The first answer is larger than every buffer on the way, so it is still being written when it is done.
        const body = isFirst ? { filler: 'x'.repeat(16_000_000) } : { caller: info.clientId };
        return { status: 200, body, retryAfterSeconds: undefined };
      };
      return {
        neonpanel: { get, post: get },
        webUrl: 'https://my.neonpanel.test',
        once: () => Promise.reject(new Error('unused')),
      };
    };
    const url = await mcpHost(t, factory({ contextFor }));

    const slow = connect(Number(url.port), '127.0.0.1');
    slow.on('error', () => {});
    slow.pause();
    const { headers, body } = rpc(era, 'tools/call', { name: 'listReports', arguments: {} });
    const text = JSON.stringify(body);
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    slow.write(
      `POST /mcp HTTP/1.1\r\nhost: mcp\r\n${lines.join('')}content-length: ${text.length}\r\n\r\n${text}`,
    );
    await eventually(() => calls === 1);
    await sleep(300); // the first answer is complete now, and its client reads none of it

    const next = callTool(url, era, 'listReports', {});
    await eventually(() => calls === 2);
    slow.destroy();
    await sleep(100);
    release();
    t.is((await next).message.result.structuredContent.caller, 'client');
  });
}
