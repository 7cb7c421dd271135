/** Redis's protocol as far as these tests look into it: which commands are on their way, and what they are for. */

/** The commands in a chunk of requests (RESP arrays of bulk strings). What is cut off at its end is left out. */
export function commandsIn(chunk: Buffer): string[][] {
  const commands: string[][] = [];
  let at = 0;
  const line = (): string | undefined => {
    const end = chunk.indexOf('\r\n', at);
    if (end < 0) return undefined;
    const text = chunk.toString('latin1', at, end);
    at = end + 2;
    return text;
  };
  for (;;) {
    const head = line();
    if (!head?.startsWith('*')) return commands;
    const words: string[] = [];
    for (let left = Number(head.slice(1)); left > 0; left--) {
      const length = line();
      if (!length?.startsWith('$') || at + Number(length.slice(1)) > chunk.length) return commands;
      words.push(chunk.toString('utf8', at, at + Number(length.slice(1))));
      at += Number(length.slice(1)) + 2;
    }
    commands.push(words);
  }
}

const OUR_KEY = /^neonpanel-mcp:\{([^}]*)\}:(\S+)$/;
/** Tags of what no request of a flow asks for: the signing keys, the schema, the probe, the count of waiting clients. */
const OF_NO_REQUEST = new Set(['keys', 'store', 'ping', 'clients', '*']);
/** Kinds of what is written behind the answers: whose grants, and the counts of rate limits. */
const BEHIND_ANSWERS = new Set(['connections', 'rate']);

/** @returns what a request wanted with it, e.g. `mget grant credential`; undefined for what runs in the background */
export function purposeOf(command: readonly string[]): string | undefined {
  const keys = command.slice(1).flatMap((word) => {
    const [, tag, kind] = OUR_KEY.exec(word) ?? [];
    return tag === undefined ? [] : [{ tag, kind: kind!.split(':')[0]! }];
  });
  const isBackground = ({ tag, kind }: { tag: string; kind: string }) =>
    OF_NO_REQUEST.has(tag) || BEHIND_ANSWERS.has(kind);
  if (keys.every(isBackground)) return undefined;
  return [command[0]!.toLowerCase(), ...keys.map(({ kind }) => kind)].join(' ');
}
