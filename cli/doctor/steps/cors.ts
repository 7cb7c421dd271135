import { type Answer, describe } from '../http.ts';
import { initialize } from '../mcp.ts';
import type { Examination, Says, Step } from '../step.ts';

/** The MCP Inspector, the client in a browser that developers try first. */
const ORIGIN = 'http://localhost:6274';
const MCP_HEADERS = [
  'authorization',
  'content-type',
  'mcp-protocol-version',
  'mcp-method',
  'mcp-name',
  'mcp-session-id',
];

export const corsSteps: readonly Step[] = [
  {
    id: 'cors',
    title: 'Clients in a browser may call every endpoint',
    needs: ['reachable'],
    async run(x, says) {
      const endpoints = endpointsOf(x);
      await Promise.all(
        endpoints.map(async ({ url, method, headers }) => {
          const answer = await x.http.ask(url, {
            method: 'OPTIONS',
            headers: {
              origin: ORIGIN,
              'access-control-request-method': method,
              'access-control-request-headers': headers.join(','),
            },
          });
          checkPreflight(answer, headers, says);
        }),
      );
      await checkReadable(x, says);
      says.note(`${endpoints.length} endpoints`);
    },
  },
];

interface Endpoint {
  readonly url: string;
  readonly method: string;
  readonly headers: readonly string[];
}

function endpointsOf({ facts, target }: Examination): readonly Endpoint[] {
  const { server, challenge } = facts;
  const posted = ['token_endpoint', 'registration_endpoint', 'revocation_endpoint'];
  const documents = [
    facts.resourceUrl,
    ...(facts.oauthMetadata ? [wellKnown(facts.issuer!, 'oauth-authorization-server')] : []),
    server?.jwks_uri,
  ];
  const all: readonly Partial<Endpoint>[] = [
    ...posted.map((name) => endpoint(server?.[name], 'POST', ['authorization', 'content-type'])),
    ...documents.map((url) => endpoint(url, 'GET', ['mcp-protocol-version'])),
    endpoint(challenge && target.mcpUrl, 'POST', MCP_HEADERS),
  ];
  return all.filter((one): one is Endpoint => one.url !== undefined);
}

const endpoint = (url: unknown, method: string, headers: readonly string[]) => ({
  ...(typeof url === 'string' && URL.canParse(url) && { url }),
  method,
  headers,
});

const wellKnown = (issuer: string, name: string): string => {
  const { origin, pathname } = new URL(issuer);
  return `${origin}/.well-known/${name}${pathname.replace(/\/$/, '')}`;
};

function checkPreflight(answer: Answer, headers: readonly string[], says: Says): void {
  const where = `preflight (CORS) of ${new URL(answer.url).pathname}`;
  if (answer.status < 200 || answer.status > 299) {
    return says.fail(
      `${where} is answered ${describe(answer)}`,
      'Answer OPTIONS with 204 before anything else, without asking for a token.',
    );
  }
  if (!allowsOrigin(answer)) {
    return says.fail(
      `${where} has no Access-Control-Allow-Origin for ${ORIGIN}`,
      'Send Access-Control-Allow-Origin: * on OAuth endpoints and documents; for MCP see ALLOWED_ORIGINS.',
    );
  }
  const allowed = listOf(answer, 'access-control-allow-headers');
  // A star does not stand for Authorization (Fetch §3.3.2).
  const missing = headers.filter(
    (name) => !allowed.includes(name) && (name === 'authorization' || !allowed.includes('*')),
  );
  if (missing.length) {
    says.fail(
      `${where} does not allow the headers ${missing.join(', ')}`,
      'List them in Access-Control-Allow-Headers.',
    );
  }
  // GET and POST need no permission (Fetch §4.8).
}

/** The answers themselves; and of the 401, its header. */
async function checkReadable({ http, target, facts }: Examination, says: Says): Promise<void> {
  const origin = { origin: ORIGIN };
  if (facts.resourceUrl) {
    const document = await http.ask(facts.resourceUrl, { headers: origin });
    if (document.status === 200 && !allowsOrigin(document)) {
      says.fail(
        'protected-resource metadata can not be read in a browser: no Access-Control-Allow-Origin (CORS)',
        'Send it on the answers too, not only on the preflight.',
      );
    }
  }
  if (facts.challenge?.status !== 401) return;
  const challenge = await http.ask(target.mcpUrl, initialize(origin));
  if (challenge.status === 403) {
    says.fail(
      `MCP refuses the Origin of a loopback page (${describe(challenge)})`,
      'Allow loopback origins, or add the ones you use to ALLOWED_ORIGINS.',
    );
  } else if (!allowsOrigin(challenge)) {
    says.fail(
      'the 401 of MCP can not be read in a browser: no Access-Control-Allow-Origin (CORS)',
      'Send it on every answer, errors included.',
    );
  } else if (
    challenge.headers.has('www-authenticate') &&
    !listOf(challenge, 'access-control-expose-headers').some((n) =>
      /^(www-authenticate|\*)$/.test(n),
    )
  ) {
    says.fail(
      'a browser does not see WWW-Authenticate: it is not in Access-Control-Expose-Headers (CORS)',
      'Expose WWW-Authenticate, Mcp-Session-Id and MCP-Protocol-Version.',
    );
  }
}

const allowsOrigin = ({ headers }: Answer): boolean =>
  ['*', ORIGIN].includes(headers.get('access-control-allow-origin') ?? '');

const listOf = ({ headers }: Answer, name: string): string[] =>
  (headers.get(name) ?? '')
    .toLowerCase()
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean);
