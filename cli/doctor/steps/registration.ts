import { type Answer, describe, isHtml, isRedirect, jsonOf } from '../http.ts';
import { bearer } from '../mcp.ts';
import { json } from '../oauth.ts';
import { type Shape, shapesFor, unionOf } from '../shapes.ts';
import type { Client, Examination, Says, Step } from '../step.ts';

/** Where nothing listens: without a login, nobody is sent there. */
const SOME_PORT = 54_321;

/**
 * Dynamic registration (RFC 7591). First one client with everything that the five send: if that is accepted, one client
 * is left behind and the five are known to be fine. If not, each is asked by itself.
 */
export const registrationSteps: readonly Step[] = [
  {
    id: 'registration',
    title: 'A client can register itself',
    needs: ['server'],
    skipIf: ({ facts }) =>
      facts.server!.registration_endpoint ? undefined : 'the server names no registration endpoint',
    async run(x, says) {
      const { body, stands } = firstRegistration(x);
      const answer = await register(x, body);
      const problem = notOpen(answer);
      if (problem) return says.fail(...problem);
      x.facts.registrable = true;
      const client = clientOf(x, answer, String(body.client_name));
      if (!client) {
        const how = `refused (${describe(answer)})`;
        return says.leaveOpen(`all shapes in one are ${how}, so each is tried by itself below`);
      }
      x.facts.client = client;
      if (httpsOf(client)) x.facts.webClient = client;
      const isWhole = body.redirect_uris.every((uri) => client.redirectUris.includes(uri));
      if (isWhole) x.facts.accepted = new Set(stands);
      says.note(`client ${client.client_id.slice(0, 60)}`);
      checkClient(x, answer, says);
    },
  },
  ...shapesFor(SOME_PORT).map(({ id, client }): Step => ({
    id: `register-${id}`,
    title: `${client} can register`,
    needs: ['registrable'],
    async run(x, says) {
      const shape = shapesOf(x).find((one) => one.id === id)!;
      if (x.facts.accepted?.has(id)) return says.note('by the registration above');
      await registerAlone(x, shape, says);
    },
  })),
];

const shapesOf = ({ wishes }: Examination): readonly Shape[] =>
  shapesFor(wishes.signIn?.port ?? SOME_PORT);

/** All in one; or, if every shape is wanted by itself, the one that serves the other steps best. */
function firstRegistration(x: Examination) {
  const shapes = shapesOf(x);
  const own = shapes.find(({ id }) => id === 'claude-code')!;
  return x.wishes.everyShape
    ? { body: own.body, stands: [own.id] }
    : { body: unionOf(shapes), stands: shapes.map(({ id }) => id) };
}

export const httpsOf = ({ redirectUris }: Pick<Client, 'redirectUris'>): string | undefined =>
  redirectUris.find((uri) => uri.startsWith('https:'));

function register({ http, facts, wishes }: Examination, body: unknown): Promise<Answer> {
  const question = json(body);
  const { initialAccessToken: token } = wishes;
  const headers = { ...question.headers, ...(token !== undefined && bearer(token)) };
  return http.ask(String(facts.server!.registration_endpoint), { ...question, headers });
}

async function registerAlone(x: Examination, shape: Shape, says: Says): Promise<void> {
  const answer = await register(x, shape.body);
  const known = new Set(x.leftBehind.map(({ clientId }) => clientId));
  const client = clientOf(x, answer, String(shape.body.client_name));
  if (!client) {
    const { error, error_description: description } = jsonOf(answer) ?? {};
    return says.fail(
      `the registration of ${shape.client} is refused: ${describe(answer)} ${[error, description].filter((text) => typeof text === 'string').join(' ')}`.trim(),
      HINTS[shape.id]!,
    );
  }
  if (known.has(client.client_id)) {
    says.fail(
      'two different registrations were given the same client_id',
      'Make a client of its own for each registration; a shared one shares redirect URIs and tokens.',
    );
  }
  const missing = shape.body.redirect_uris.filter((uri) => !client.redirectUris.includes(uri));
  if (missing.length > 0) {
    says.fail(
      `the registration of ${shape.client} is answered without its redirect URI ${missing[0]}`,
      'Keep what was sent, character by character, and return it.',
    );
  }
  if (!x.facts.client) checkClient(x, answer, says);
  // A client on loopback serves the rest best: its redirect URI can be listened to.
  if (!x.facts.client || shape.id === 'claude-code') x.facts.client = client;
  if (httpsOf(client)) x.facts.webClient ??= client;
}

/** Why nobody can register at all. */
function notOpen(answer: Answer): [cause: string, fix: string] | undefined {
  if (answer.status === 401) {
    return [
      'registration wants an initial access token (401)',
      'Open it (REGISTRATION=open): ChatGPT, Claude and the others have no such token. Doctor takes one by --registration-token-file.',
    ];
  }
  if (answer.status === 403 && !/^invalid_/.test(String(jsonOf(answer)?.error))) {
    return [
      `registration is forbidden (${describe(answer)})`,
      'If it is closed on purpose, do not advertise it; else let no firewall stop it (REGISTRATION=open).',
    ];
  }
  if (answer.status === 429) {
    return [
      'too many registrations for now (429)',
      `Wait ${answer.headers.get('retry-after') ?? 'some'} seconds; hosted clients share few addresses, so keep the limit at tens per minute.`,
    ];
  }
  if (isRedirect(answer) || isHtml(answer) || answer.status >= 500 || answer.status === 404) {
    return [
      `registration is answered ${describe(answer)}, not with JSON`,
      answer.status >= 500
        ? 'See the log of the server: a registration must never crash it.'
        : 'Serve the endpoint at the address that the metadata names, past every firewall and login.',
    ];
  }
  return undefined;
}

/** Remembers it as left behind, or deletes it at the end where that is offered. */
function clientOf(x: Examination, answer: Answer, name: string): Client | undefined {
  const body = jsonOf(answer);
  const { client_id: id, client_secret: secret } = body ?? {};
  if (answer.status >= 300 || typeof id !== 'string' || id === '') return undefined;
  const { registration_client_uri: uri, registration_access_token: token } = body!;
  if (!x.leftBehind.some(({ clientId }) => clientId === id)) {
    x.leftBehind.push({
      clientId: id,
      name,
      deleted: false,
      ...(typeof uri === 'string' && typeof token === 'string' && { management: { uri, token } }),
    });
  }
  const uris = Array.isArray(body!.redirect_uris) ? (body!.redirect_uris as string[]) : [];
  return {
    client_id: id,
    ...(typeof secret === 'string' && { client_secret: secret }),
    method: String(body!.token_endpoint_auth_method ?? 'none'),
    redirectUris: uris,
  };
}

/** RFC 7591 §3.2.1 */
function checkClient({ facts }: Examination, answer: Answer, says: Says): void {
  const body = jsonOf(answer)!;
  const method = body.token_endpoint_auth_method;
  if (answer.status !== 201) {
    says.warn(`registration is answered ${answer.status}, not 201`, 'Answer 201 (RFC 7591).');
  }
  if (!Array.isArray(body.redirect_uris)) {
    says.fail(
      'registration does not return the redirect_uris',
      'Return everything that was registered (RFC 7591 §3.2.1).',
    );
  }
  if (method !== 'none') {
    // A server may choose (RFC 7591 §3.2.1); most clients then do as they are told.
    (facts.ours ? says.fail : says.warn)(
      `a client that wants no secret (none) is registered for ${String(method)}; its token request will be refused`,
      'Register the method that was asked for, or refuse the registration.',
    );
  } else if (body.client_secret !== undefined) {
    says.fail(
      'a client without client authentication (none) is given a client_secret; some then send it and are refused',
      'Give a secret only for client_secret_basic and client_secret_post.',
    );
  }
  if (Array.isArray(body.grant_types) && !body.grant_types.includes('refresh_token')) {
    says.fail(
      'the client asked for refresh_token and is registered without it: it must sign in every hour',
      'Keep refresh_token in grant_types.',
    );
  }
  if (!/no-store/i.test(answer.headers.get('cache-control') ?? '')) {
    says.warn('registrations may be cached', 'Send Cache-Control: no-store.');
  }
}

const HINTS: Readonly<Record<string, string>> = {
  chatgpt: 'Accept its https redirect URI, null for what was not chosen, and the method none.',
  claude: 'Ignore scopes that are not yours (RFC 7591 §2: the server may replace them).',
  'claude-code':
    'Accept http on localhost and 127.0.0.1 without application_type (RFC 8252 §7.3): the addresses tell that it is native.',
  cursor: 'Accept cursor:// (REDIRECT_SCHEMES), although application_type says web.',
  vscode: 'Ignore grant types that you do not have, and accept its four redirect URIs.',
};
