import { type Answer, describe, isRedirect, jsonOf } from '../http.ts';
import type { Document, Says, Step } from '../step.ts';
import { isLoopback } from '../target.ts';
import { resourceMetadataUrl } from './network.ts';

export const resourceMetadataSteps: readonly Step[] = [
  {
    id: 'resource-metadata',
    title: 'Protected-resource metadata is where clients look for it',
    needs: ['reachable'],
    async run({ http, target, facts }, says) {
      // Old clients, and doctor, look for the authorization server on the same host.
      facts.issuer = target.origin;
      const suffixed = resourceMetadataUrl(target.mcpUrl);
      const root = `${target.origin}/.well-known/oauth-protected-resource`;
      const named = samePlace(facts.challenge?.metadataUrl, target.origin);
      const found: Document[] = [];
      for (const url of new Set([named, suffixed, root])) {
        if (url === undefined) continue;
        const answer = await http.ask(url);
        const document = jsonOf(answer);
        if (answer.status === 200 && typeof document?.resource === 'string') {
          found.push(document);
          facts.resourceUrl ??= url;
          checkType(answer, says);
        } else if (url === root && url !== named) {
          says.warn(
            `${new URL(url).pathname} (without the path) is answered ${describe(answer)}`,
            'Serve a document for the bare origin too: some clients are given that.',
          );
        } else {
          says.fail(
            `${new URL(url).pathname} is answered ${describe(answer)}, ${url === named ? 'although the challenge points to it' : 'where clients look first if they ignore the header'}`,
            isRedirect(answer)
              ? 'Serve it there, without a redirect.'
              : 'Serve the JSON document of RFC 9728 there; let the proxy route /.well-known/ to the server.',
          );
        }
      }
      if (found[0]) facts.resource = found[0];
      says.note(`${found.length} documents`);
    },
  },
  {
    id: 'resource-identifier',
    title: 'It names the address that clients are given',
    needs: ['resource'],
    run({ facts, target }, says) {
      const { resource, scopes_supported: scopes } = facts.resource!;
      const difference = differs(String(resource), target.mcpUrl);
      if (difference) {
        says.fail(
          `resource is ${String(resource).slice(0, 200)}, not ${target.mcpUrl}: ${difference[0]}`,
          difference[1],
        );
      }
      if ([scopes].flat().includes('offline_access')) {
        says.warn(
          'scopes_supported of the resource lists offline_access',
          'List it in the metadata of the authorization server only.',
        );
      }
    },
  },
  {
    id: 'authorization-servers',
    title: 'It names the authorization server',
    needs: ['resource'],
    run({ facts, target }, says) {
      const servers = facts.resource!.authorization_servers;
      const [first] = Array.isArray(servers) ? servers : [];
      const url = typeof first === 'string' ? URL.parse(first) : null;
      if (!url) {
        return says.fail(
          'authorization_servers is missing, empty or not a list of addresses',
          'Name the issuer of the authorization server there (RFC 9728 §2).',
        );
      }
      facts.issuer = first;
      if (url.protocol !== 'https:' && !isLoopback(url)) {
        says.fail(
          `the authorization server ${first} is not https`,
          'Build the address from PUBLIC_URL; behind a proxy the server sees http only.',
        );
      } else if (url.origin !== target.origin) {
        says.warn(
          `the authorization server is on another host: ${url.origin}; some clients look on the host of the MCP server only`,
          'If sign-in fails before any page appears, serve both from one host.',
        );
      }
      if ((servers as unknown[]).length > 1) {
        says.warn('more than one authorization server is named', 'Claude uses the first one only.');
      }
      says.note(String(first));
    },
  },
];

/** An address elsewhere is the challenge's mistake, and nobody's document. */
const samePlace = (url: string | undefined, origin: string): string | undefined =>
  url !== undefined && URL.parse(url)?.origin === origin ? url : undefined;

function checkType(answer: Answer, says: Says): void {
  if (/^application\/json\b/i.test(answer.headers.get('content-type') ?? '')) return;
  says.warn(
    `${new URL(answer.url).pathname} is not sent as application/json`,
    'Send Content-Type: application/json.',
  );
}

/** How two addresses differ that should be one. @returns cause and fix */
export function differs(
  actual: string,
  expected: string,
): readonly [cause: string, fix: string] | undefined {
  if (actual === expected) return undefined;
  const [a, b] = [URL.parse(actual), URL.parse(expected)];
  if (!a || !b) {
    return ['it is not a web address', 'Use the public https address.'];
  }
  if (actual.replace(/\/$/, '') === expected.replace(/\/$/, '')) {
    return [
      'only the final slash differs, and clients compare exactly',
      'Leave the final slash away, everywhere.',
    ];
  }
  if (a.host === b.host && a.protocol !== b.protocol) {
    return [
      `it says ${a.protocol.slice(0, -1)} instead of ${b.protocol.slice(0, -1)}`,
      'Build every address from PUBLIC_URL; behind a proxy that ends TLS the server sees http only.',
    ];
  }
  if (a.host !== b.host) {
    return [
      'the host is another one (an internal name, or a second domain)',
      'Build every address from PUBLIC_URL, never from the Host header, and connect to that address.',
    ];
  }
  return [
    'the path is another one',
    'Serve a document for each path, whose resource is that very address; or give clients the address it names.',
  ];
}
