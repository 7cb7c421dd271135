import { describe, isHtml, jsonOf, Unanswered } from '../http.ts';
import { authorizationRequest, checkOAuthError, redemption } from '../oauth.ts';
import type { Code, Examination, Says, Step } from '../step.ts';

const noLogin = ({ wishes }: Examination): string | undefined =>
  wishes.signIn ? undefined : 'needs a login: add --login or --browser';

/** The first code is not spent at once: what is wrong with it is refused first, and then it must still work. */
export const signInSteps: readonly Step[] = [
  {
    id: 'sign-in',
    title: 'Sign-in ends at the client with a code, its state, and iss',
    skipIf: (x) =>
      noLogin(x) ??
      (x.facts.authorizable ? undefined : 'no authorization request is accepted (see above)'),
    async run(x, says) {
      x.facts.code = await signIn(x, says);
    },
  },
  {
    id: 'wrong-verifier',
    title: 'A code with another PKCE verifier is refused',
    needs: ['code'],
    async run(x, says) {
      const code = x.facts.code!;
      const verifier = 'doctor-wrong-verifier'.padEnd(43, 'x');
      await mustBeRefused(x, { ...code, verifier }, 'a code with a wrong code_verifier', says);
    },
  },
  {
    id: 'wrong-redirect',
    title: 'A code with another redirect URI is refused',
    needs: ['code'],
    async run(x, says) {
      const code = await unspent(x);
      const other = x.facts.client!.redirectUris.find((uri) => uri !== code.redirectUri);
      const redirectUri = other ?? `${code.redirectUri}/doctor`;
      await mustBeRefused(x, { ...code, redirectUri }, 'a code with another redirect_uri', says);
    },
  },
];

/** A code nobody has used successfully yet; signs in again if need be. */
export async function unspent(x: Examination): Promise<Code> {
  return (x.facts.code = x.spent ? await signIn(x) : x.facts.code!);
}

/** @param says hears of what is wrong with the answer; only the first one needs to be told */
export async function signIn(x: Examination, says?: Says): Promise<Code> {
  const way = x.wishes.signIn!;
  const onLoopback = x.facts.client!.redirectUris.find(
    (uri) => URL.parse(uri)?.port === String(way.port) && uri.startsWith('http://localhost'),
  );
  if (way.byPerson && !onLoopback) {
    throw new Unanswered({
      cause: 'no client with a redirect URI on this machine could be registered',
      fix: 'See register-claude-code; or use --login with a user of the sandbox.',
    });
  }
  const { url, redirectUri, verifier, state } = authorizationRequest(
    x,
    onLoopback ? { redirect_uri: onLoopback } : {},
  );
  const ask = () => way.answer({ url, redirectUri, state, fetch: x.http.fetch });
  const { searchParams } = way.byPerson ? await x.asidePeople(ask) : await ask();
  const error = searchParams.get('error');
  const code = searchParams.get('code');
  if (error || !code) {
    throw new Unanswered({
      cause: `the client gets ${error ? `error=${error} ${searchParams.get('error_description') ?? ''}`.trim() : 'neither code nor error'}`,
      fix: 'See the log of the server for the distinct cause.',
    });
  }
  if (says) checkAnswer(x, searchParams, state, says);
  x.spent = false;
  return { code, verifier, redirectUri };
}

function checkAnswer(x: Examination, answer: URLSearchParams, state: string, says: Says): void {
  const { issuer, authorization_response_iss_parameter_supported: announced } = x.facts.server!;
  if (answer.get('state') !== state) {
    says.fail('state does not come back unchanged', 'Return it as it was sent.');
  }
  const iss = answer.get('iss');
  if (announced === true && iss === null) {
    says.fail(
      'iss is announced, and missing in the answer with the code; clients refuse it',
      'Send the issuer in every response (RFC 9207).',
    );
  } else if (iss !== null && iss !== issuer) {
    says.fail(
      `iss in the answer is ${iss.slice(0, 200)}, not ${String(issuer)}`,
      'Send the same string as in the metadata (RFC 9207).',
    );
  }
}

async function mustBeRefused(x: Examination, code: Code, what: string, says: Says): Promise<void> {
  const answer = await x.http.ask(String(x.facts.server!.token_endpoint), redemption(x, code));
  if (answer.status === 200) {
    x.spent = true;
    return says.fail(
      `${what} is accepted: a stolen code could be used`,
      'Compare both with what the authorization request said (RFC 6749 §4.1.3, RFC 7636 §4.6).',
    );
  }
  const error = jsonOf(answer)?.error;
  if (isHtml(answer) || typeof error !== 'string') return checkOAuthError(answer, what, says);
  says.note(`${answer.status} ${error}`);
  if (error !== 'invalid_grant') {
    says.warn(
      `${what} is refused with ${describe(answer)} ${error}, not invalid_grant`,
      'Answer 400 invalid_grant.',
    );
  }
}
