/** The server to examine, as the text that somebody pasted was understood. */
export interface Target {
  readonly origin: string;
  /** What a person would give to a client. */
  readonly mcpUrl: string;
  /** In words, for the report. */
  readonly understood: string;
}

/** What is not an address at all. Its message is for the person who typed it. */
export class NotAnAddress extends Error {}

const LOOPBACK = /^(localhost|127\.0\.0\.1|\[::1\])$/;

/**
 * Takes an origin, the MCP address, the address of a document or of an endpoint, or a bare host name.
 *
 * @throws NotAnAddress
 */
export function understand(pasted: string): Target {
  const text = pasted.trim().replace(/^<|>$/g, '');
  const url = parse(text);
  const base = url.origin;
  const path = mcpPathOf(url.pathname);
  const mcpUrl = base + path;
  const asTyped = text === mcpUrl ? 'as it is' : `from ${withoutSecrets(text)}`;
  return { origin: base, mcpUrl, understood: `${mcpUrl} (${asTyped})` };
}

export const isLoopback = (url: URL): boolean => LOOPBACK.test(url.hostname);

function parse(text: string): URL {
  if (text === '') throw new NotAnAddress('An address is needed, e.g. https://mcp.example.com');
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
  const host = /^[^/?#]*/.exec(text)![0].replace(/:\d+$/, '');
  const url = URL.parse(
    hasScheme ? text : `${LOOPBACK.test(host) ? 'http' : 'https'}://${text.replace(/^\/+/, '')}`,
  );
  if (!url || !/^https?:$/.test(url.protocol) || /[\s<>"]/.test(text)) {
    throw new NotAnAddress(
      `${withoutSecrets(text).slice(0, 200)} is not a web address. Expected e.g. https://mcp.example.com or https://mcp.example.com/mcp`,
    );
  }
  if (url.username || url.password) {
    throw new NotAnAddress('The address must not contain a name and password before the host.');
  }
  return url;
}

/** Where MCP is spoken: beside an endpoint or document of this server, else at the path itself. */
function mcpPathOf(pathname: string): string {
  const wellKnown = /^\/\.well-known\/[^/]+(\/.*)?$/.exec(pathname);
  if (wellKnown) return mcpPathOf(wellKnown[1] ?? '/');
  const path = pathname.replace(/\/+$/, '');
  const isOther = /^(\/(sse|messages|oauth2?|interaction|account|healthz?|readyz)(\/.*)?|)$/;
  return isOther.test(path) ? '/mcp' : path;
}

/** A pasted address may carry a token or a code in its query. */
const withoutSecrets = (text: string): string =>
  text.replace(/[?#].*$/s, '?…').replace(/\/\/[^/@]*@/, '//…@');
