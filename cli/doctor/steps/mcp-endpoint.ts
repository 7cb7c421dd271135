import { type Answer, describe, isHtml, isRedirect, jsonOf } from '../http.ts';
import { initialize, rpc, rpcOf } from '../mcp.ts';
import type { Challenge, Examination, Says, Step } from '../step.ts';

export const mcpEndpointSteps: readonly Step[] = [
  {
    id: 'challenge',
    title: 'MCP asks to sign in: 401 with a challenge',
    needs: ['reachable'],
    async run(x, says) {
      const { http, target, facts } = x;
      const answer = await http.ask(target.mcpUrl, initialize());
      const problem = wrongAnswer(answer);
      if (problem) return says.fail(...problem);
      if (answer.status === 200) return withoutSignIn(x, answer, says);
      facts.challenge = readChallenge(answer);
      checkChallenge(answer, facts.challenge, target.origin, says);
      says.note(`401, scope ${facts.challenge.scope ?? '(none named)'}`);
    },
  },
  {
    id: 'mcp-methods',
    title: 'GET and HEAD at the MCP endpoint ask to sign in as well',
    needs: ['challenge'],
    skipIf: ({ facts }) =>
      facts.challenge!.status === 200 ? 'no sign-in is asked for' : undefined,
    async run({ http, target }, says) {
      const headers = { accept: 'text/event-stream' };
      for (const method of ['GET', 'HEAD']) {
        const answer = await http.ask(target.mcpUrl, { method, headers });
        // 405 is what the protocol without streams says.
        if ([401, 405].includes(answer.status)) continue;
        says.fail(
          `${method} at the MCP endpoint is answered ${describe(answer)}, not 401 or 405`,
          'Route every method of this path to the server; mcp-remote begins with GET, Claude with HEAD.',
        );
      }
      const slash = await http.ask(`${target.mcpUrl}/`, initialize());
      if (isRedirect(slash)) {
        says.warn(
          `with a final slash the address is redirected (${describe(slash)}), which loses the call`,
          'Serve it there too, or answer 404.',
        );
      }
    },
  },
  {
    id: 'bad-token',
    title: 'A token that is not valid is answered 401 invalid_token',
    needs: ['challenge'],
    async run({ http, target, facts }, says) {
      const isOpen = facts.challenge!.status === 200;
      const call = isOpen ? rpc('tools/call', { name: 'doctor_has_no_such_tool' }) : initialize();
      const ask = (authorization: string) =>
        http.ask(target.mcpUrl, { ...call, headers: { ...call.headers, authorization } });
      const bad = await ask('Bearer not.a.token');
      const code = /error="([^"]*)"/.exec(bad.headers.get('www-authenticate') ?? '')?.[1];
      if (bad.status === 200 && rpcOf(bad)?.result) {
        says.fail(
          'any token is accepted: the call is served with one that nobody issued',
          'Verify signature, issuer, expiry and audience of every token.',
        );
      } else if (bad.status !== 401) {
        says.fail(
          `a token that is not valid is answered ${describe(bad)}; clients refresh or sign in again only on 401`,
          'Answer 401 with WWW-Authenticate: Bearer error="invalid_token" (RFC 6750 §3.1).',
        );
      } else if (code !== 'invalid_token') {
        says.fail(
          `the 401 for a token that is not valid ${code ? `says error="${code}"` : 'has no error="invalid_token" in WWW-Authenticate'}`,
          'Name error="invalid_token", which makes ChatGPT refresh at once (RFC 6750 §3.1).',
        );
      }
      const empty = await ask('');
      if (!isOpen && empty.status !== 401) {
        says.fail(
          `an empty Authorization header is answered ${describe(empty)}`,
          'Treat it as no token: 401 with the challenge.',
        );
      }
    },
  },
];

/** What can not even be called a challenge. */
function wrongAnswer(answer: Answer): [cause: string, fix: string] | undefined {
  const { status } = answer;
  const path = new URL(answer.url).pathname;
  if (isRedirect(answer)) {
    return [
      `POST ${path} is redirected (${describe(answer)}): clients lose the body or the token on the way`,
      'Route this very path to the server, without a redirect to a slash, a host or https.',
    ];
  }
  if ([404, 405].includes(status)) {
    return [
      `nothing speaks MCP at ${path} (${describe(answer)})`,
      'Give the address of the MCP endpoint; let the balancer route the path itself, not only what is below it.',
    ];
  }
  if (status === 403) {
    return [
      `POST ${path} without a token is forbidden (${describe(answer)}); only 401 starts a sign-in`,
      'Answer 401 with a challenge. If a firewall answers, let the path pass.',
    ];
  }
  if (status === 200 && !rpcOf(answer)) {
    return [
      `POST ${path} is answered ${describe(answer)}, which is not MCP`,
      'A page or another application answers: route the path to the MCP server.',
    ];
  }
  if (status !== 401 && status !== 200) {
    return [
      `POST ${path} without a token is answered ${describe(answer)}, not 401`,
      'Check the token before anything else, and answer 401 with a challenge.',
    ];
  }
  return undefined;
}

function checkChallenge(answer: Answer, read: Challenge, origin: string, says: Says): void {
  const header = answer.headers.get('www-authenticate');
  if (!header) {
    says.fail(
      'the 401 has no WWW-Authenticate header, so clients do not learn where to sign in',
      'Send WWW-Authenticate: Bearer resource_metadata="…" (RFC 9728 §5.1); let no proxy strip it.',
    );
  } else if (!/^bearer\b/i.test(header)) {
    says.fail(
      `the challenge is for another scheme (${header.slice(0, 40)}), not Bearer`,
      'Let the server answer 401 itself; a proxy with its own login stands in front.',
    );
  } else if (!read.metadataUrl) {
    says.warn(
      'the challenge names no resource_metadata; newer clients look there first',
      'Add resource_metadata="<address of the protected-resource metadata>" (RFC 9728 §5.1).',
    );
  } else if (URL.parse(read.metadataUrl)?.origin !== origin) {
    says.fail(
      `resource_metadata in the challenge points elsewhere: ${read.metadataUrl.slice(0, 200)}`,
      'Build it from the public address (PUBLIC_URL), not from what the proxy tells the server.',
    );
  }
  if (header && !read.scope) {
    says.warn(
      'the challenge names no scope; clients then ask for everything, or for nothing',
      'Add scope="…" with what ordinary use needs.',
    );
  }
  if (read.scope?.split(' ').includes('offline_access')) {
    says.warn(
      'the challenge asks for offline_access, which is not a scope of the resource',
      'Name it in the metadata of the authorization server only.',
    );
  }
  if (isHtml(answer) || typeof jsonOf(answer)?.error !== 'string') {
    says.fail(
      `the body of the 401 is not an OAuth error in JSON (${describe(answer)})`,
      'Send {"error": "invalid_token", "error_description": "…"} as application/json.',
    );
  }
}

function readChallenge(answer: Answer): Challenge {
  const header = answer.headers.get('www-authenticate') ?? '';
  const parameter = (name: string) => new RegExp(`\\b${name}="([^"]*)"`).exec(header)?.[1];
  const { status } = answer;
  return { status, metadataUrl: parameter('resource_metadata'), scope: parameter('scope') };
}

/** `initialize` is open. Is there something to see, and is what costs something protected? */
async function withoutSignIn(x: Examination, first: Answer, says: Says): Promise<void> {
  const { http, target, facts } = x;
  if (rpcOf(first)?.error) {
    return says.fail(
      `initialize is answered with the error ${JSON.stringify(rpcOf(first)!.error).slice(0, 200)}`,
      'Answer 401 with a challenge if a token is missing; else answer initialize.',
    );
  }
  const list = rpcOf(await http.ask(target.mcpUrl, rpc('tools/list', {})));
  const tools: unknown[] = list?.result?.tools ?? [];
  const call = await http.ask(
    target.mcpUrl,
    rpc('tools/call', { name: 'doctor_has_no_such_tool', arguments: {} }),
  );
  facts.challenge = { ...readChallenge(call), status: 200 };
  if (tools.length === 0) {
    return says.fail(
      'initialize is answered 200 without a token, but there are no tools: clients connect, never sign in and show nothing',
      'Answer 401 with a challenge, or show the tools without a token too (PUBLIC_DISCOVERY).',
    );
  }
  says.warn(
    `initialize and tools/list are open (${tools.length} tools); some clients sign in only if these are 401`,
    'If sign-in never starts, answer 401 to everything without a token (PUBLIC_DISCOVERY=false).',
  );
  if (call.status === 401) checkChallenge(call, readChallenge(call), target.origin, says);
}
