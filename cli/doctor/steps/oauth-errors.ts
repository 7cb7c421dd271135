import { describe, isHtml, jsonOf } from '../http.ts';
import { checkOAuthError, form, json } from '../oauth.ts';
import type { Step } from '../step.ts';

export const oauthErrorSteps: readonly Step[] = [
  {
    id: 'token-errors',
    title: 'Errors of the token endpoint are JSON',
    needs: ['server'],
    async run({ http, facts }, says) {
      const url = String(facts.server!.token_endpoint);
      const empty = await http.ask(url, form({}));
      checkOAuthError(empty, 'an empty form at the token endpoint', says);
      // What one HTTP library sends for a client without a secret.
      const authorization = `Basic ${Buffer.from('null:null').toString('base64')}`;
      const question = form({ grant_type: 'authorization_code', code: 'doctor' });
      const headers = { ...question.headers, authorization };
      const basic = await http.ask(url, { ...question, headers });
      checkOAuthError(basic, 'client authentication "null" at the token endpoint', says);
      if (!/no-store/i.test(empty.headers.get('cache-control') ?? '')) {
        says.warn(
          'errors of the token endpoint may be cached (no Cache-Control: no-store)',
          'Send Cache-Control: no-store on every answer (RFC 6749 §5.1).',
        );
      }
    },
  },
  {
    id: 'unknown-client',
    title: 'An unknown client is told so, with 401 invalid_client',
    needs: ['server'],
    async run({ http, facts }, says) {
      const answer = await http.ask(
        String(facts.server!.token_endpoint),
        form({ grant_type: 'refresh_token', refresh_token: 'x', client_id: 'doctor-unknown' }),
      );
      const error = jsonOf(answer)?.error;
      if (error === 'invalid_client' && answer.status === 401) return;
      // Errors that are no OAuth errors at all are another step's business.
      if (isHtml(answer) || typeof error !== 'string') return says.note(describe(answer));
      // Without a header of client authentication, 400 is allowed (RFC 6749 §5.2).
      const isTold = error === 'invalid_client' && !facts.ours;
      (isTold ? says.warn : says.fail)(
        `an unknown client at the token endpoint is answered ${answer.status} ${error}; clients whose registration was lost never register again`,
        'Answer 401 {"error": "invalid_client"} (RFC 6749 §5.2).',
      );
    },
  },
  {
    id: 'revocation-errors',
    title: 'Errors of the revocation endpoint are JSON',
    needs: ['server'],
    skipIf: ({ facts }) =>
      facts.server!.revocation_endpoint ? undefined : 'the server names no revocation endpoint',
    async run({ http, facts }, says) {
      const url = String(facts.server!.revocation_endpoint);
      checkOAuthError(await http.ask(url, form({})), 'an empty form at revocation', says);
    },
  },
  {
    id: 'registration-errors',
    title: 'Registrations that are dangerous or broken are refused, in JSON',
    needs: ['server'],
    skipIf: ({ facts }) =>
      facts.server!.registration_endpoint ? undefined : 'the server names no registration endpoint',
    async run({ http, facts, leftBehind }, says) {
      const url = String(facts.server!.registration_endpoint);
      const answers = await Promise.all(
        BAD_REGISTRATIONS.map(([, body]) => http.ask(url, json(body))),
      );
      for (const [i, answer] of answers.entries()) {
        const what = BAD_REGISTRATIONS[i]![0];
        const client = jsonOf(answer)?.client_id;
        if (answer.status < 300 && typeof client === 'string') {
          leftBehind.push({ clientId: client, name: `doctor: ${what}`, deleted: false });
          says.fail(
            `${what} is accepted at registration`,
            'Accept https, http on loopback, and the schemes of known apps; refuse everything else.',
          );
          continue;
        }
        checkOAuthError(answer, `a registration with ${what}`, says);
      }
    },
  },
];

const withRedirect = (uri: string) => ({
  client_name: 'doctor',
  redirect_uris: [uri],
  token_endpoint_auth_method: 'none',
});

const BAD_REGISTRATIONS: readonly (readonly [what: string, body: unknown])[] = [
  ['broken JSON', '{"redirect_uris": ['],
  ['no redirect URI', { client_name: 'doctor', grant_types: ['authorization_code'] }],
  ['a javascript: redirect URI', withRedirect('javascript:alert(1)')],
  ['an http redirect URI beyond loopback', withRedirect('http://doctor.example/callback')],
];
