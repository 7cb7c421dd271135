import {
  createLocalJWKSet,
  decodeJwt,
  decodeProtectedHeader,
  type JSONWebKeySet,
  jwtVerify,
} from 'jose';
import { type Answer, describe, isHtml, jsonOf } from '../http.ts';
import { bearer, initialize } from '../mcp.ts';
import { redemption } from '../oauth.ts';
import type { Examination, Says, Step, Tokens } from '../step.ts';
import { signIn, unspent } from './sign-in.ts';

/** Of the clocks; what verifiers usually put up with. */
const MAX_SKEW_SECONDS = 60;

export const tokenSteps: readonly Step[] = [
  {
    id: 'token-response',
    title: 'The code is exchanged, and the answer is complete',
    needs: ['code'],
    async run(x, says) {
      const url = String(x.facts.server!.token_endpoint);
      let answer = await x.http.ask(url, redemption(x, await unspent(x)));
      if (answer.status === 400 && jsonOf(answer)?.error === 'invalid_grant') {
        // Some servers end a code at the first mistake, as the steps above made them.
        answer = await x.http.ask(url, redemption(x, (x.facts.code = await signIn(x))));
      }
      x.spent = true;
      const tokens = checkTokenResponse(x, answer, 'the code', says);
      if (tokens) x.facts.tokens = tokens;
    },
  },
  {
    id: 'token-claims',
    title: 'The access token says who, for whom and until when, and verifies',
    needs: ['tokens'],
    run: checkClaims,
  },
  {
    id: 'token-accepted',
    title: 'MCP accepts the token, in the header only',
    needs: ['tokens'],
    async run({ http, target, facts }, says) {
      const token = facts.tokens!.access_token;
      const answer = await http.ask(target.mcpUrl, initialize(bearer(token)));
      if (answer.status !== 200) {
        delete facts.tokens;
        return says.fail(
          `MCP answers ${describe(answer)} to a token that was just issued ${answer.headers.get('www-authenticate')?.slice(0, 200) ?? ''}`.trim(),
          'Issuer, audience and scope that MCP requires must be those that the authorization server puts in. See the log.',
        );
      }
      const lower = await http.ask(target.mcpUrl, initialize({ authorization: `bearer ${token}` }));
      if (lower.status !== 200) {
        says.fail(
          `the scheme "bearer" in lower case is answered ${describe(lower)}`,
          'Compare the scheme without regard to case (RFC 9110 §11.1).',
        );
      }
      const query = new URL(target.mcpUrl);
      query.searchParams.set('access_token', token);
      const inQuery = await http.ask(query, initialize());
      if (inQuery.status === 200 && facts.challenge?.status === 401) {
        says.fail(
          'a token in the query is accepted; addresses end up in logs',
          'Take tokens from the Authorization header only.',
        );
      }
    },
  },
];

/**
 * RFC 6749 §5.1, and what clients have stumbled over.
 *
 * @param what was exchanged
 * @returns undefined if there is no access token in it
 */
export function checkTokenResponse(
  { facts }: Examination,
  answer: Answer,
  what: string,
  says: Says,
): Tokens | undefined {
  const body = jsonOf(answer);
  if (answer.status !== 200 || !body || typeof body.access_token !== 'string') {
    const { error, error_description: description } = body ?? {};
    says.fail(
      `exchanging ${what} is answered ${describe(answer)} ${[error, description].filter((t) => typeof t === 'string').join(': ')}`.trim(),
      isHtml(answer)
        ? 'Answer JSON, on errors of the framework and the proxy as well; see the log of the server.'
        : 'See the log of the server for the distinct cause.',
    );
    return undefined;
  }
  const { token_type: type, expires_in: lifetime, refresh_token: refresh, scope } = body;
  if (type !== 'Bearer') {
    says.fail(
      `token_type is ${JSON.stringify(type)}, not "Bearer"; some clients compare it exactly`,
      'Write it with a capital B.',
    );
  }
  if (typeof lifetime !== 'number' || lifetime <= 0) {
    says.fail(
      `expires_in is ${lifetime === undefined ? 'missing' : JSON.stringify(lifetime)}, not a number of seconds`,
      'Send a JSON number: clients refresh by it.',
    );
  }
  if (typeof refresh !== 'string') {
    says.fail(
      'there is no refresh_token: people must sign in again every hour',
      'Issue one to every client with the grant refresh_token, asked for offline_access or not.',
    );
  }
  if (typeof scope !== 'string') {
    (facts.ours ? says.fail : says.warn)(
      'scope is missing, although what was granted may differ from what was asked',
      'Say what was granted (RFC 6749 §5.1).',
    );
  }
  if (!/no-store/i.test(answer.headers.get('cache-control') ?? '')) {
    says.fail(
      'the token response may be cached: no Cache-Control: no-store',
      'Send Cache-Control: no-store on every answer with tokens (RFC 6749 §5.1).',
    );
  }
  if (!/^application\/json\b/i.test(answer.headers.get('content-type') ?? '')) {
    says.fail(`the token response is sent as ${describe(answer)}`, 'Send it as application/json.');
  }
  says.note(`${String(lifetime)} s, ${String(scope)}`);
  return body as unknown as Tokens;
}

async function checkClaims({ facts, target }: Examination, says: Says): Promise<void> {
  const { access_token: token, expires_in: lifetime } = facts.tokens!;
  if (token.split('.').length !== 3) {
    if (!facts.ours) return says.note('opaque: there is nothing to read');
    return says.fail('the access token is no JWT', 'Issue RFC 9068 tokens for this resource.');
  }
  const { alg, typ } = decodeProtectedHeader(token);
  if (!alg || !/^(RS|PS|ES)\d{3}$|^(EdDSA|Ed25519)$/.test(alg)) {
    return says.fail(
      `the access token is signed with ${alg ?? 'nothing'}`,
      'Sign with a private key, and publish the public one.',
    );
  }
  const claims = decodeJwt(token);
  const now = Date.now() / 1000;
  const { issuer } = facts.server!;
  const expected = [target.mcpUrl, facts.resource?.resource];
  if (claims.iss !== issuer) {
    says.fail(
      `iss in the token is ${String(claims.iss)}, not ${String(issuer)}`,
      'One string in metadata, iss and tokens.',
    );
  }
  if (!claims.sub) says.fail('the token has no sub', 'Say whose token it is.');
  if (![claims.aud].flat().some((aud) => expected.includes(aud))) {
    says.fail(
      `aud in the token is ${JSON.stringify(claims.aud) ?? 'missing'}, not ${target.mcpUrl}`,
      'Put the resource address in, whatever spelling of it the client sent.',
    );
  }
  if (typeof claims.scope !== 'string') {
    says.fail('the token has no scope', 'Put the granted scopes in, separated by spaces.');
  }
  if (typeof claims.exp !== 'number' || typeof claims.iat !== 'number') {
    says.fail('exp or iat is missing in the token', 'Put both in, in seconds.');
  } else {
    if (Math.abs(claims.iat - now) > MAX_SKEW_SECONDS) {
      says.fail(
        `clock: iat is ${Math.round(claims.iat - now)} s away from the time here`,
        'Synchronise the clocks (NTP) of both machines.',
      );
    }
    if (lifetime !== undefined && Math.abs(claims.exp - claims.iat - lifetime) > MAX_SKEW_SECONDS) {
      says.fail(
        `the token lives ${claims.exp - claims.iat} s, expires_in says ${lifetime}`,
        'Make both from one value.',
      );
    }
  }
  if (!/^(application\/)?at\+jwt$/i.test(typ ?? '')) {
    says.warn(`typ of the token is ${typ ?? 'missing'}`, 'Use at+jwt (RFC 9068 §2.1).');
  }
  await checkSignature(token, facts, says);
  says.note(`aud ${String(claims.aud)}, sub ${String(claims.sub).slice(0, 12)}…`);
}

async function checkSignature(token: string, { keys }: Examination['facts'], says: Says) {
  if (!keys) return;
  try {
    const set = createLocalJWKSet({ keys } as unknown as JSONWebKeySet);
    // Times have a check of their own.
    await jwtVerify(token, set, { clockTolerance: 10 * 365 * 86_400 });
  } catch (error) {
    says.fail(
      `the signature can not be verified with the published keys (${(error as Error).message})`,
      'Publish the key that signs; let no cache keep an older set than JWKS_CACHE_SECONDS.',
    );
  }
}
