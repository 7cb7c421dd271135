import type { ExecutionContext } from 'ava';
import { createSocket } from 'node:dgram';
import { isIP } from 'node:net';

/** A name server on loopback that knows these names and no others (RFC 1035 §4). */
export async function startNameServer(
  t: ExecutionContext,
  names: Readonly<Record<string, readonly string[]>>,
): Promise<{ readonly address: string; readonly asked: string[] }> {
  const asked: string[] = [];
  const socket = createSocket('udp4');
  socket.on('message', (query, from) => {
    const { name, end } = nameAt(query, 12);
    asked.push(name);
    const type = query.readUInt16BE(end);
    const family = type === 1 ? 4 : type === 28 ? 6 : 0;
    const known = Object.hasOwn(names, name) ? names[name]! : undefined;
    const answers = (known ?? []).filter((address) => isIP(address) === family).map(bytesOf);
    const head = Buffer.from(query.subarray(0, 12));
    head.writeUInt16BE(known ? 0x8180 : 0x8183, 2);
    head.writeUInt16BE(answers.length, 6);
    head.fill(0, 8);
    const records = answers.map((bytes) =>
      Buffer.concat([Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 1, 0, bytes.length]), bytes]),
    );
    const question = query.subarray(12, end + 4);
    socket.send(Buffer.concat([head, question, ...records]), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  t.teardown(() => socket.close());
  return { address: `127.0.0.1:${socket.address().port}`, asked };
}

function nameAt(query: Buffer, start: number): { name: string; end: number } {
  const labels: string[] = [];
  let at = start;
  for (let length = query[at]!; length > 0; length = query[at]!) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length));
    at += 1 + length;
  }
  return { name: labels.join('.').toLowerCase(), end: at + 1 };
}

function bytesOf(address: string): Buffer {
  if (isIP(address) === 4) return Buffer.from(address.split('.').map(Number));
  const [left = '', right = ''] = address.split('::');
  const groups = (text: string) => text.split(':').filter(Boolean);
  const zeros = Array<string>(8 - groups(left).length - groups(right).length).fill('0');
  const words = [...groups(left), ...zeros, ...groups(right)].map((word) => parseInt(word, 16));
  return Buffer.from(words.flatMap((word) => [word >> 8, word & 0xff]));
}
