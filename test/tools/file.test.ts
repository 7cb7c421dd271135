import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import dns from 'node:dns';
import test from 'ava';
import fc from 'fast-check';
import { isAcceptableLink, safeFileName } from '../../mcp/tools/file.ts';
import { createDocumentsByPdf } from '../../mcp/tools/imports.ts';
import { HPH, recordingUpstream, runTool } from './support/upstream.ts';

const refused = [
  // not https
  'http://files.example.com/b.pdf',
  'ftp://files.example.com/b.pdf',
  'file:///etc/passwd',
  'data:application/pdf;base64,AA==',
  'javascript:alert(1)',
  '//files.example.com/b.pdf',
  'files.example.com/b.pdf',
  // what URL parsers repair, each in its own way
  'https:files.example.com/b.pdf',
  'https:/files.example.com/b.pdf',
  'https:///files.example.com/b.pdf',
  'https:\\\\files.example.com/b.pdf',
  'https://files.example.com\\@10.0.0.1/b.pdf',
  ' https://files.example.com/b.pdf',
  'https://files.example.com/b.pdf\n',
  'https://files.example.com/a b.pdf',
  'https://files.example.com/\u0000',
  'https://files.exämple.com/b.pdf',
  'https://１２７.0.0.1/b.pdf',
  'https://',
  'https://?x',
  `https://files.example.com/${'x'.repeat(2048)}`,
  // userinfo
  'https://user@files.example.com/b.pdf',
  'https://user:secret@files.example.com/b.pdf',
  'https://@files.example.com/b.pdf',
  'https://files.example.com@127.0.0.1/b.pdf',
  // names of this machine or network
  'https://localhost/b.pdf',
  'https://LOCALHOST:8443/b.pdf',
  'https://localhost./b.pdf',
  'https://a.localhost/b.pdf',
  'https://metadata.google.internal/computeMetadata/v1/',
  'https://printer.local/b.pdf',
  'https://redis/b.pdf',
  // IPv4 in every notation
  'https://127.0.0.1/b.pdf',
  'https://127.0.0.1./b.pdf',
  'https://127.1/b.pdf',
  'https://2130706433/b.pdf',
  'https://0x7f000001/b.pdf',
  'https://0177.0.0.1/b.pdf',
  'https://0x7f.1/b.pdf',
  'https://%31%32%37.0.0.1/b.pdf',
  'https://0.0.0.0/b.pdf',
  'https://10.1.2.3/b.pdf',
  'https://100.64.0.1/b.pdf',
  'https://169.254.169.254/latest/meta-data/',
  'https://169.254.170.2/v2/credentials',
  'https://172.16.0.1/b.pdf',
  'https://172.31.255.255/b.pdf',
  'https://192.0.0.1/b.pdf',
  'https://192.168.1.1/b.pdf',
  'https://198.18.0.1/b.pdf',
  'https://203.0.113.9/b.pdf',
  'https://224.0.0.1/b.pdf',
  'https://255.255.255.255/b.pdf',
  // IPv6
  'https://[::1]/b.pdf',
  'https://[::]/b.pdf',
  'https://[0:0:0:0:0:0:0:1]/b.pdf',
  'https://[::ffff:127.0.0.1]/b.pdf',
  'https://[::ffff:7f00:1]/b.pdf',
  'https://[::ffff:8.8.8.8]/b.pdf',
  'https://[::127.0.0.1]/b.pdf',
  'https://[64:ff9b::7f00:1]/b.pdf',
  'https://[2002:7f00:1::]/b.pdf',
  'https://[2001::1]/b.pdf',
  'https://[2001:db8::1]/b.pdf',
  'https://[fc00::1]/b.pdf',
  'https://[fd12:3456::1]/b.pdf',
  'https://[fe80::1]/b.pdf',
  'https://[fec0::1]/b.pdf',
  'https://[ff02::1]/b.pdf',
];
for (const link of refused) {
  test(`[T18] [D17] [N51] a link like this is refused: ${JSON.stringify(link.slice(0, 80))}`, (t) => {
    t.false(isAcceptableLink(link));
  });
}

const accepted = [
  'https://files.example.com/b.pdf',
  'HTTPS://Files.Example.com/b.pdf',
  'https://files.example.com:8443/b.pdf?X-Amz-Signature=a%2Fb+c&response=%0A#page=2',
  'https://files.example.com/a@b/..%2fc/../d.pdf?next=https://127.0.0.1/',
  'https://8.8.8.8/b.pdf',
  'https://172.32.0.1/b.pdf',
  'https://[2606:4700::1111]/b.pdf',
  'https://localhost.example.com/b.pdf',
];
for (const link of accepted) {
  test(`[T18] [D17] [N51] an acceptable link reaches NeonPanel byte for byte: ${link}`, async (t) => {
    const { sent, context } = recordingUpstream();
    const args = { companyUuid: HPH.uuid, type: 'bill', file: { name: 'b.pdf', link } };
    await runTool(createDocumentsByPdf, args, context);
    t.deepEqual(sent[0]!.body, { file: { name: 'b.pdf', link } });
  });
}

test.serial(
  '[T18] [D17] nothing is connected to and no name is looked up, whatever the link',
  async (t) => {
    let connections = 0;
    let lookups = 0;
    const listener = createServer(() => (connections += 1));
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const lookup = dns.lookup;
    dns.lookup = ((...args: Parameters<typeof lookup>) => {
      lookups += 1;
      return lookup(...args);
    }) as typeof lookup;
    t.teardown(() => {
      dns.lookup = lookup;
      listener.close();
    });
    const { port } = listener.address() as AddressInfo;
    const { context } = recordingUpstream();
    const hosts = ['127.0.0.1', 'localhost', '2130706433', '[::ffff:127.0.0.1]', 'example.com'];
    for (const host of hosts) {
      const file = { name: 'b.pdf', link: `https://${host}:${port}/b.pdf` };
      const args = { companyUuid: HPH.uuid, type: 'bill', file };
      await Promise.allSettled([(async () => runTool(createDocumentsByPdf, args, context))()]);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
    t.deepEqual({ connections, lookups }, { connections: 0, lookups: 0 });
  },
);

const names: [string, string][] = [
  ['invoice-1042.pdf', 'invoice-1042.pdf'],
  ['Rechnung März (2).pdf', 'Rechnung Marz _2_.pdf'],
  ['a"\r\nX-Evil: y.pdf', 'a_X-Evil_ y.pdf'],
  ['../../etc/passwd', '_._etc_passwd'],
  ['..\\..\\x.pdf', '_._x.pdf'],
  ['a\u0000.pdf', 'a_.pdf'],
  ['...', ''],
  ['请款单.pdf', '_.pdf'],
];
for (const [name, expected] of names) {
  test(`[T43] file name ${JSON.stringify(name)} is sent as ${JSON.stringify(expected)}`, (t) => {
    t.is(safeFileName(name), expected);
  });
}

test('[T43] a long file name is cut to 255 characters and keeps its extension', (t) => {
  const name = safeFileName(`${'x'.repeat(400)}.pdf`);
  t.is(name.length, 255);
  t.true(name.endsWith('xxx.pdf'));
});

test('[T43] no file name ever leaves the safe alphabet or 255 characters', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 600 }), (name) => {
      const safe = safeFileName(name);
      return /^[A-Za-z0-9._ -]{0,255}$/.test(safe) && !safe.includes('..') && !/^[. ]/.test(safe);
    }),
  );
  t.pass();
});

for (const name of ['', '...', '/', '请款单']) {
  test(`[T43] a file name without letters or digits is refused: ${JSON.stringify(name)}`, (t) => {
    const file = { name, link: accepted[0]! };
    t.false(createDocumentsByPdf.input.safeParse({ companyUuid: '1', type: 'bill', file }).success);
  });
}
