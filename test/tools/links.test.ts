import dns from 'node:dns';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import type { ToolContext } from '../../mcp/tools/tool.ts';
import { json, stubbedApi } from './support/http-stub.ts';
import { callTool, ERAS, factory, mcpHost } from './support/mcp-host.ts';
import { HPH } from './support/upstream.ts';

/** Links as a caller sends them, through the endpoint and the real client to a NeonPanel that writes down what it hears. */

let connections = 0;
const listener = createServer((socket) => {
  connections += 1;
  socket.destroy();
});
await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
const { port } = listener.address() as AddressInfo;
test.after.always(() => listener.close());

/** Every way to ask for a name; each asks for real, but is counted. */
const lookups: string[] = [];
for (const target of [dns, dns.promises] as unknown as Record<string, Function>[]) {
  for (const name of Object.keys(target).filter((key) => /^(lookup|resolve|reverse)/.test(key))) {
    const original = target[name]!;
    target[name] = (...args: unknown[]) => {
      lookups.push(`${name} ${args[0]}`);
      return original(...args);
    };
  }
}

const hosts = [
  // this machine, in every notation
  '127.0.0.1',
  '127.1',
  '127.0.1',
  '2130706433',
  '017700000001',
  '0177.0.0.1',
  '0x7f000001',
  '0x7f.0.0.1',
  '0x7f.1',
  '127.0.0.1.',
  '127.255.255.254',
  '0',
  '0.0.0.0',
  '[::1]',
  '[::]',
  '[0:0:0:0:0:0:0:1]',
  '[::ffff:127.0.0.1]',
  '[::ffff:7f00:1]',
  '[::127.0.0.1]',
  '[64:ff9b::7f00:1]',
  '[2002:7f00:1::]',
  'localhost',
  'LocalHost.',
  'x.localhost',
  '%6c%6f%63alhost',
  '127.0.0.1%00.example.com',
  // the metadata services of clouds
  '169.254.169.254',
  '2852039166',
  '0xa9fea9fe',
  '025177524776',
  '0251.0376.0251.0376',
  '169.254.170.2',
  '[::ffff:169.254.169.254]',
  '[::ffff:a9fe:a9fe]',
  '[fd00:ec2::254]',
  '[fe80::a9fe:a9fe]',
  'metadata.google.internal',
  '100.100.100.200',
  // private networks
  '10.0.0.1',
  '167772161',
  '172.16.0.1',
  '172.31.255.255',
  '192.168.0.1',
  '0xc0a80001',
  '[fc00::1]',
  '[fd12::1]',
  'redis',
  'printer.local',
];
const wholes = [
  'http://files.example.com/b.pdf',
  'file:///etc/passwd',
  'ftp://files.example.com/b.pdf',
  'gopher://127.0.0.1:6379/_FLUSHALL',
  'data:application/pdf,x',
  'jar:https://files.example.com!/b.pdf',
  'https:files.example.com/b.pdf',
  '//files.example.com/b.pdf',
  'https://user@files.example.com/b.pdf',
  'https://user:pass@files.example.com/b.pdf',
  'https://files.example.com@127.0.0.1/b.pdf',
  'https://files.example.com\\@127.0.0.1/b.pdf',
  'https:\\\\127.0.0.1\\b.pdf',
  'https://files.example.com/b.pdf\r\nX-Injected: 1',
  'https://files.example.com/b\t.pdf',
  'https://files.example.com/b.pdf\u0000',
  'https://files.example.com/\u007f',
  '\u0001https://files.example.com/b.pdf',
  'https://files.example.com/\u202eb.pdf',
  'https://１２７.０.０.１/b.pdf',
  'https://①②⑦.0.0.1/b.pdf',
  `https://files.example.com/${'x'.repeat(2049)}`,
  `https://${'x'.repeat(100_000)}.example.com/`,
  '',
];
const refused = [...hosts.map((host) => `https://${host}:${port}/b.pdf`), ...wholes];

const accepted = [
  'https://files.example.com/b.pdf',
  'HTTPS://Files.Example.COM:443/./a/../b.pdf',
  'https://files.example.com/a%2Fb%0a?sig=%2b+%25&next=https://127.0.0.1/#@10.0.0.1',
  'https://files.example.com//b.pdf?a=1&a=2&&',
  "https://files.example.com/b.pdf?q='(x)*!~$",
  'https://10.0.0.1.example.com/b.pdf',
  'https://8.8.8.8/b.pdf',
  'https://0x08080808/b.pdf',
  'https://[2606:4700:4700::1111]:8443/b.pdf',
  `https://files.example.com/${'x'.repeat(2048 - 26)}`,
];

const pdf = (link: string) => ({
  companyUuid: HPH.uuid,
  type: 'bill',
  file: { name: 'b.pdf', link },
});

for (const era of ERAS) {
  test.serial(
    `[T18] ${era}: a link to an inside address is an error result, and NeonPanel is not asked`,
    async (t) => {
      const { url, seen } = await endpoint(t);
      for (const link of refused) {
        const { status, message } = await callTool(url, era, 'createDocumentsByPdf', pdf(link));
        t.is(status, 200, link);
        t.true(message.result.isError, link);
        const { text } = message.result.content[0];
        t.regex(text, /file\.link: must/, link);
        t.true(text.length < 500, 'a link is not repeated at length');
      }
      t.deepEqual(seen, []);
      nothingAsked(t);
    },
  );

  test.serial(`[T18] ${era}: any other link arrives at NeonPanel as it is written`, async (t) => {
    const { url, seen } = await endpoint(t);
    for (const link of accepted) {
      const { message } = await callTool(url, era, 'createDocumentsByPdf', pdf(link));
      t.falsy(message.result.isError, link);
    }
    const heard = seen.map(({ url: path, body }) => `${path} ${body}`);
    const expected = accepted.map(
      (link) =>
        `/api/v1/companies/${HPH.uuid}/import/bill/pdf ${JSON.stringify({ file: { name: 'b.pdf', link } })}`,
    );
    t.deepEqual(heard, expected);
    nothingAsked(t);
  });
}

function nothingAsked(t: ExecutionContext): void {
  t.is(connections, 0);
  t.deepEqual(lookups, []);
}

async function endpoint(t: ExecutionContext) {
  const { seen, call } = await stubbedApi(t, (response) =>
    json(response, 200, { request_id: 'r-1', status: 'queued' }),
  );
  const neonpanel = {
    get: (path: string, query = {}) => call({ method: 'GET' as const, path, query }),
    post: (path: string, body: unknown, query = {}) =>
      call({ method: 'POST' as const, path, query, body }),
  };
  const webUrl = 'https://my.neonpanel.test';
  const context: ToolContext = { neonpanel, webUrl, once: (_call, work) => work(neonpanel) };
  const url = await mcpHost(t, factory({ contextFor: () => context }));
  // The two servers of this test listen by then: each has asked for its own address.
  lookups.length = 0;
  return { url, seen };
}
