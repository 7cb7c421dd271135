import { isDeepStrictEqual } from 'node:util';
import { type Answer, describe, jsonOf } from '../http.ts';
import type { Document, Examination, Says, Step } from '../step.ts';

const OAUTH = 'oauth-authorization-server';
const OPENID = 'openid-configuration';

/** Where the metadata of the authorization server is (RFC 8414, OpenID Connect Discovery). */
export const metadataDocumentSteps: readonly Step[] = [
  {
    id: 'oauth-metadata',
    title: 'Authorization server metadata is there',
    needs: ['issuer'],
    async run(x, says) {
      const document = await read(x, OAUTH, says.fail);
      if (document) x.facts.server = x.facts.oauthMetadata = document;
    },
  },
  {
    id: 'openid-metadata',
    title: 'So is OpenID discovery',
    needs: ['issuer'],
    async run(x, says) {
      const isOurs = isOurServer(x.facts.oauthMetadata, x.facts.resource);
      if (isOurs) x.facts.ours = true;
      const document = await read(x, OPENID, isOurs ? says.fail : says.warn);
      if (!document) return;
      x.facts.openidMetadata = document;
      x.facts.server ??= document;
    },
  },
  {
    id: 'metadata-variants',
    title: 'Both are also found by way of the path of the MCP endpoint',
    needs: ['server'],
    skipIf: ({ facts, target }) =>
      new URL(facts.issuer!).origin === target.origin
        ? undefined
        : 'the authorization server is on another host',
    async run({ http, target, facts }, says) {
      const { origin, pathname } = new URL(target.mcpUrl);
      for (const name of [OAUTH, OPENID]) {
        const answer = await http.ask(`${origin}/.well-known/${name}${pathname}`);
        if (answer.status === 200 && jsonOf(answer)?.issuer) continue;
        const say = facts.ours ? says.fail : says.warn;
        say(
          `/.well-known/${name}${pathname} is answered ${describe(answer)}; some clients look there only`,
          'Serve the same document there.',
        );
      }
    },
  },
  {
    id: 'metadata-equal',
    title: 'The two documents say the same',
    needs: ['oauthMetadata', 'openidMetadata'],
    run({ facts: { oauthMetadata, openidMetadata } }, says) {
      // The issuer is a step of its own.
      const different = Object.keys(oauthMetadata!).filter(
        (name) =>
          name !== 'issuer' &&
          name in openidMetadata! &&
          !isSame(oauthMetadata![name], openidMetadata![name]),
      );
      if (different.length === 0) return;
      says.fail(
        `openid-configuration and oauth-authorization-server differ in ${different.join(', ')}`,
        'Make both from the same values: which one a client reads is its own choice.',
      );
    },
  },
  {
    id: 'unknown-well-known',
    title: 'What is not there is a 404 in JSON',
    needs: ['reachable'],
    async run({ http, target }, says) {
      const answer = await http.ask(`${target.origin}/.well-known/doctor-asks-for-nothing`);
      if (answer.status === 404 && jsonOf(answer)) return;
      const say = answer.status === 404 ? says.warn : says.fail;
      say(
        `an unknown address below /.well-known/ is answered ${describe(answer)}; clients try several and take that for a document`,
        'Answer 404 with a JSON body; keep the catch-all page of the web application away from /.well-known/.',
      );
    },
  },
];

/** RFC 8414 §3.1; for OpenID, the newer form with the path at the end too. */
async function read(
  { http, facts }: Examination,
  name: string,
  complain: Says['fail'],
): Promise<Document | undefined> {
  const { origin, pathname } = new URL(facts.issuer!);
  const path = pathname.replace(/\/$/, '');
  const urls = [`${origin}/.well-known/${name}${path}`];
  if (path && name === OPENID) urls.push(`${origin}${path}/.well-known/${name}`);
  let last: Answer | undefined;
  for (const url of urls) {
    last = await http.ask(url);
    const document = jsonOf(last);
    if (last.status === 200 && document) return document;
  }
  complain(
    `${new URL(last!.url).pathname} is answered ${describe(last!)}`,
    'Serve the metadata of the authorization server there as JSON, without a redirect or a login.',
  );
  return undefined;
}

function isOurServer(...documents: (Document | undefined)[]): boolean {
  return documents.some((document) =>
    [document?.scopes_supported].flat().includes('neonpanel.read'),
  );
}

/** The order of a list has no meaning there. */
const isSame = (a: unknown, b: unknown): boolean =>
  Array.isArray(a) && Array.isArray(b)
    ? isDeepStrictEqual(a.toSorted(), b.toSorted())
    : isDeepStrictEqual(a, b);
