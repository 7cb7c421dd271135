/**
 * Apps that people know by name, and the hosts that are theirs.
 *
 * "Verified" on the consent page means exactly this: the answer to the request goes by https to one of these hosts, and
 * according to the app's maker the host is the app's own. It does not mean that the app is good, nor that it was this
 * person who began. A host that passes answers on for others (of a connector platform, of a tunnel) must not be here;
 * neither must loopback addresses and schemes, which any program can claim. vscode.dev passes answers on too, but only to
 * VS Code on the same computer.
 *
 * The schemes only help to say in which app something is to be done.
 */
export interface KnownApp {
  readonly app: string;
  /** As in `URL.host`: exact, without a port. */
  readonly hosts: readonly string[];
  /** Without colon. */
  readonly schemes: readonly string[];
  /** What a client calls itself that wants to be taken for it. */
  readonly names: RegExp;
}

export const KNOWN_APPS: readonly KnownApp[] = [
  {
    app: 'ChatGPT',
    hosts: ['chatgpt.com', 'chat.openai.com', 'platform.openai.com'],
    schemes: [],
    names: /\bchat\s?gpt\b|\bopen\s?ai\b/i,
  },
  {
    app: 'Claude',
    hosts: ['claude.ai', 'claude.com'],
    schemes: ['claude'],
    names: /\bclaude\b|\banthropic\b/i,
  },
  {
    app: 'Cursor',
    hosts: ['cursor.com', 'www.cursor.com'],
    schemes: ['cursor'],
    names: /\bcursor\b/i,
  },
  {
    app: 'VS Code',
    hosts: ['vscode.dev', 'insiders.vscode.dev'],
    schemes: ['vscode', 'vscode-insiders'],
    names: /\bvs\s?code\b|\bvisual\s?studio\s?code\b/i,
  },
  { app: 'Windsurf', hosts: [], schemes: ['windsurf'], names: /\bwindsurf\b/i },
  { app: 'Meta AI', hosts: ['agent.meta.ai'], schemes: [], names: /\bmeta\s?ai\b/i },
];

/** @returns the app whose own host a redirect URI has, if it is on the list */
export function verifiedApp(redirectUri: string): string | undefined {
  const url = URL.parse(redirectUri);
  if (url?.protocol !== 'https:') return undefined;
  return KNOWN_APPS.find(({ hosts }) => hosts.includes(url.host))?.app;
}

/**
 * For a sentence such as "remove it in Cursor"; proves nothing.
 *
 * @param redirectUri anything
 */
export function namedApp(redirectUri: unknown): string | undefined {
  const url = typeof redirectUri === 'string' ? URL.parse(redirectUri) : null;
  if (!url) return undefined;
  const scheme = url.protocol.slice(0, -1);
  return verifiedApp(url.href) ?? KNOWN_APPS.find(({ schemes }) => schemes.includes(scheme))?.app;
}

/**
 * @param brand the name of this service, which is nobody else's
 * @returns what a client takes itself for by its name, although its answers go to a host that is not of that
 */
export function falselyClaimedApp(
  clientName: string,
  redirectUri: string,
  brand: string,
): string | undefined {
  const { spaced, squeezed } = compared(clientName);
  const claimed = KNOWN_APPS.filter(({ names }) => names.test(spaced) || names.test(squeezed));
  const own = compared(brand);
  const claims = claimed.map(({ app }) => app);
  const isOwn = own.spaced !== '' && ` ${spaced} `.includes(` ${own.spaced} `);
  if (isOwn || (own.squeezed !== '' && squeezed === own.squeezed)) claims.push(brand);
  const verified = verifiedApp(redirectUri);
  return verified !== undefined && claims.includes(verified) ? undefined : claims[0];
}

/** Letters that look like ours, in Cyrillic and Greek; after them the ones they look like. */
const LOOKALIKES = new Map(
  ['авсԁеһіјкмнӏорԛгѕтуԝх', 'αεηικνορτυχς']
    .flatMap((letters) => [...letters])
    .map((letter, i) => [letter, 'abcdehijkmhlopqrstywxaenikvoptuxc'.charAt(i)]),
);

/**
 * A name without what tells nobody apart: its spelling in wide or small letters, accents, letters of another script that look
 * the same, separators and figures.
 */
function compared(name: string): { spaced: string; squeezed: string } {
  const words = name
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll(/[\u0370-\u052f]/g, (letter) => LOOKALIKES.get(letter) ?? letter)
    .split(/[\s_\p{Pd}\d]+/u)
    .filter(Boolean);
  return { spaced: words.join(' '), squeezed: words.join('') };
}
