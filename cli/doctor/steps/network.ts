import type { LookupAddress } from 'node:dns';
import { lookup } from 'node:dns/promises';
import { BlockList, connect as connectTcp, isIP, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { explainFailure } from '../failures.ts';
import { type Answer, describe, isHtml, isRedirect, Unanswered } from '../http.ts';
import { initialize } from '../mcp.ts';
import type { Examination, Step } from '../step.ts';
import { isLoopback } from '../target.ts';

const DAY_MS = 86_400_000;
/** Whoever renews by hand needs some days; those who renew by machine do it 30 days before. */
const EXPIRES_SOON_DAYS = 14;
const SLOW_MS = 3_000;

export const networkSteps: readonly Step[] = [
  {
    id: 'dns',
    title: 'The name leads to addresses that clients can reach',
    async run({ target, facts, wishes }, says) {
      const url = new URL(target.mcpUrl);
      const name = url.hostname.replace(/^\[|\]$/g, '');
      facts.resolved = true;
      const found = await addressesOf(name, wishes.timeoutMs).catch((error: Error) => {
        delete facts.resolved;
        throw new Unanswered(explainFailure(error, url, 0), error);
      });
      const addresses = found.map(({ address }) => address);
      says.note(addresses.join(', '));
      const isPrivate = found.some(({ address, family }) =>
        PRIVATE.check(address, family === 6 ? 'ipv6' : 'ipv4'),
      );
      if (isPrivate && !isLoopback(url)) {
        says.fail(
          `${name} has a private address (${addresses.join(', ')}), which ChatGPT and Claude can not reach`,
          'Publish a public address for this name, or use a tunnel.',
        );
      }
    },
  },
  {
    id: 'tls',
    title: 'The connection is in order',
    needs: ['resolved'],
    async run({ target, wishes, facts }, says) {
      const url = new URL(target.mcpUrl);
      const socket = await open(url, wishes);
      facts.connected = true;
      const seen = url.protocol === 'https:' ? certificateOf(socket as TLSSocket) : undefined;
      socket.destroy();
      if (!seen) {
        if (isLoopback(url)) return says.note('plain HTTP, as is usual on loopback');
        return says.fail(
          'plain http: clients send tokens over https only',
          'Let TLS end at the balancer, and set PUBLIC_URL to the https address.',
        );
      }
      const days = Math.floor((seen.validTo - Date.now()) / DAY_MS);
      says.note(`${seen.protocol}, certificate valid for ${days} more days`);
      if (days < EXPIRES_SOON_DAYS) {
        says.warn(
          `the certificate expires in ${days} days`,
          'Renew it, and look why it was not renewed by itself.',
        );
      }
    },
  },
  {
    id: 'reachable',
    title: 'The server answers',
    needs: ['connected'],
    async run({ target, http, facts }, says) {
      const answer = await http.ask(resourceMetadataUrl(target.mcpUrl));
      if ([502, 504].includes(answer.status) || (answer.status === 503 && isHtml(answer))) {
        return says.fail(
          `the proxy answers, the server behind it does not (${describe(answer)})`,
          'Start the server; compare the port it listens on with the one the proxy forwards to, and the health check.',
        );
      }
      if ([401, 403, 429].includes(answer.status) && isHtml(answer)) {
        return says.fail(
          `a bot wall or a login page in front answers instead of the server (${describe(answer)})`,
          'Let the paths of OAuth and MCP pass without a challenge: their callers are programs.',
        );
      }
      facts.reachable = true;
      says.note(`${answer.ms} ms`);
      if (answer.ms > SLOW_MS) {
        says.warn(
          `the first answer took ${answer.ms} ms; Claude gives up after 10 s`,
          'Keep one instance running; look at the store and at NeonPanel.',
        );
      }
    },
  },
  {
    id: 'user-agents',
    title: 'ChatGPT and Claude are let in like anybody else',
    needs: ['reachable'],
    async run(x, says) {
      const usual = await knock(x, undefined);
      const others = await Promise.all(
        USER_AGENTS.map(async (agent) => ({ agent, answers: await knock(x, agent) })),
      );
      const blocked = others.filter(({ answers }) =>
        answers.some((answer, i) => isBlocked(answer, usual[i]!)),
      );
      if (blocked.length === 0) return says.note(`${USER_AGENTS.length} user agents`);
      const { answers } = blocked[0]!;
      const how = answers.find((answer, i) => isBlocked(answer, usual[i]!))!;
      says.fail(
        `bot wall: the user agents ${blocked.map(({ agent }) => agent).join(', ')} get ${typeof how === 'string' ? how : describe(how)}, others do not`,
        'Take these user agents, or the paths of OAuth and MCP, out of the bot protection of the CDN or firewall (WAF).',
      );
    },
  },
];

/** As seen in the logs of servers that they call. */
const USER_AGENTS = [
  'openai-mcp/1.0.0',
  'Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; ChatGPT-User/1.0; +https://openai.com/bot',
  'Claude-User',
  'python-httpx/0.28.1',
];

/** RFC 1918, 3927, 4193, 6598, and loopback. */
const PRIVATE = new BlockList();
PRIVATE.addSubnet('10.0.0.0', 8);
PRIVATE.addSubnet('172.16.0.0', 12);
PRIVATE.addSubnet('192.168.0.0', 16);
PRIVATE.addSubnet('169.254.0.0', 16);
PRIVATE.addSubnet('100.64.0.0', 10);
PRIVATE.addSubnet('127.0.0.0', 8);
PRIVATE.addSubnet('fc00::', 7, 'ipv6');
PRIVATE.addSubnet('fe80::', 10, 'ipv6');
PRIVATE.addAddress('::1', 'ipv6');

/** RFC 9728 §3.1 */
export function resourceMetadataUrl(resource: string): string {
  const { origin, pathname } = new URL(resource);
  return `${origin}/.well-known/oauth-protected-resource${pathname.replace(/\/$/, '')}`;
}

/** By the system's own way, which has no time limit of its own. @throws with a code of node:dns */
async function addressesOf(name: string, timeoutMs: number): Promise<LookupAddress[]> {
  if (isIP(name)) return [{ address: name, family: isIP(name) }];
  const late = Object.assign(new Error('no answer from DNS'), { code: 'EAI_AGAIN' });
  const timer = wait(timeoutMs, undefined, { ref: false }).then(() => Promise.reject(late));
  return Promise.race([lookup(name, { all: true }), timer]);
}

/** @throws Unanswered */
function open(url: URL, { timeoutMs, ca }: Examination['wishes']): Promise<Socket> {
  const isTls = url.protocol === 'https:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port || (isTls ? 443 : 80));
  const servername = isIP(host) ? {} : { servername: host };
  return new Promise((resolve, reject) => {
    const socket = isTls
      ? connectTls({ host, port, ...servername, ALPNProtocols: ['http/1.1'], ...(ca && { ca }) })
      : connectTcp({ host, port });
    const give = (error: Error) => {
      socket.destroy();
      reject(new Unanswered(explainFailure(error, url, timeoutMs), error));
    };
    socket.once(isTls ? 'secureConnect' : 'connect', () => resolve(socket));
    // After the promise is settled, errors of the socket are of no interest.
    socket.on('error', give);
    socket.setTimeout(timeoutMs, () => give(Object.assign(new Error(), { code: 'ETIMEDOUT' })));
  });
}

/** While the connection is there. */
const certificateOf = (socket: TLSSocket) => ({
  validTo: Date.parse(socket.getPeerCertificate().valid_to),
  protocol: socket.getProtocol(),
});

/** A document and a call. @returns the answers, or why there was none */
function knock({ http, target }: Examination, agent: string | undefined) {
  const headers: Record<string, string> = agent ? { 'user-agent': agent } : {};
  const unanswered = (error: Unanswered) => error.message;
  return Promise.all<Answer | string>([
    http.ask(resourceMetadataUrl(target.mcpUrl), { headers }).catch(unanswered),
    http.ask(target.mcpUrl, initialize(headers)).catch(unanswered),
  ]);
}

function isBlocked(answer: Answer | string, usual: Answer | string): boolean {
  if (typeof answer === 'string') return typeof usual !== 'string';
  if (typeof usual === 'string') return false;
  return (
    answer.status !== usual.status &&
    (answer.status >= 400 || isRedirect(answer) || isHtml(answer)) &&
    !(answer.status === 429 && usual.status === 429)
  );
}
