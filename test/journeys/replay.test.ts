import test from 'ava';
import { startDocumentHost } from '../cimd/host.ts';
import { send } from '../raw-http.ts';
import { startHarness } from '../support/harness.ts';
import { callTool, connect, refresh, register } from '../support/oauth.ts';
import { chatgpt } from './replay/chatgpt.ts';
import { claude } from './replay/claude.ts';
import { claudeCode } from './replay/claude-code.ts';
import { cursor } from './replay/cursor.ts';
import { byDocument, byRegistration } from './replay/identity.ts';
import { mcpRemote } from './replay/mcp-remote.ts';
import { createStage, type Stage } from './replay/stage.ts';
import { vscode } from './replay/vscode.ts';
import { stopTime } from './time.ts';

/**
 * Clients that cannot be run here, request by request as they send them, with a person in the middle. Where the shapes
 * come from, and what is known of each client, is in docs/clients.md.
 */
const clock = stopTime();
const host = await startDocumentHost();
const harness = await startHarness({ env: { CIMD_TEST_ORIGIN: host.origin } });
test.after.always(() => Promise.all([harness.close(), host.close()]));

const registered = byRegistration;
const documented = (name: string) => byDocument(host, name);
const PLATFORM = 'https://chatgpt.com/connector_platform_oauth_redirect';
const SCOPE = 'neonpanel.read neonpanel.write';

type Play = (stage: Stage) => Promise<void>;

/** What a person may paste that the client takes: `/mcp`, the bare origin, a final slash. */
function replay(title: string, paths: readonly string[], play: Play): void {
  for (const path of paths) {
    test.serial(`${title}, given ${path || 'the origin'}`, async (t) => {
      const stage = createStage(t, harness, clock, harness.url + path);
      await play(stage);
      const registrations = stage.transcript.filter((line) => line.includes('/oauth2/register'));
      const isDocumented = /known by its document/.test(title);
      t.is(registrations.length > 0, !isDocumented, registrations.join());
      // The whole conversation, to be read in snapshots/.
      t.snapshot(stage.transcript);
    });
  }
}

// ------------------------------------------------------------------------ ChatGPT

replay(
  '[F2] [F4] [F7] [F12] [F13] [F25] [F31] [F27] [F29] [A8] [A14] ChatGPT registered as a public client: discovers, signs in with a long state, calls, refreshes, disconnects, reconnects',
  ['/mcp', ''],
  (stage) => chatgpt(stage, registered('ChatGPT, public'), PLATFORM),
);

replay(
  '[F2] [F15] [F25] [F27] [F29] [A5] ChatGPT known by its document, with private_key_jwt',
  ['/mcp'],
  (stage) => chatgpt(stage, documented('ChatGPT with private_key_jwt'), PLATFORM),
);

replay(
  '[F15] [F27] [A5] ChatGPT known by its document of one connector, which leaves the way to authenticate to us',
  ['/mcp'],
  (stage) =>
    chatgpt(
      stage,
      documented('ChatGPT with a document of one connector'),
      'https://chatgpt.com/connector/oauth/tU1UVEq8rRTK',
    ),
);

for (const shape of ['ChatGPT, client_secret_post', 'ChatGPT Actions, secret by Basic']) {
  const redirectUri = shape.includes('Actions')
    ? 'https://chatgpt.com/aip/g-0123456789abcdef/oauth/callback'
    : 'https://chatgpt.com/connector/oauth/Ab3-_x9';
  replay(`[F15] [F27] [F29] ${shape}: the same with a secret`, ['/mcp'], (stage) =>
    chatgpt(stage, registered(shape), redirectUri),
  );
}

// ------------------------------------------------------------------------- Claude

replay(
  '[F2] [F5] [F7] [F11] [F24] [F30] Claude registered twice at once: HEAD, discovery from another machine, both clients sign in, the stream is refused, an hour later it refreshes',
  ['/mcp', ''],
  (stage) => claude(stage, registered('Claude with a foreign scope'), { times: 2, scope: SCOPE }),
);

replay(
  '[F13] [F14] [F15] [N14] Claude registered with a secret and for the scope of the predecessor',
  ['/mcp'],
  (stage) =>
    claude(stage, registered('Claude, client_secret_post'), { times: 1, scope: 'neonpanel.mcp' }),
);

replay(
  '[F2] [F13] [F24] [A5] Claude known by its document, asking for a scope of its own as well',
  ['/mcp'],
  (stage) => claude(stage, documented('Claude'), { times: 1, scope: `claudeai ${SCOPE}` }),
);

// -------------------------------------------------------------------- Claude Code

replay(
  '[F10] [F12] [F17] [F19] [F29] Claude Code registered without application_type: another port, five windows refresh at once, the straggler of yesterday ends the connection, it signs in again',
  ['/mcp', ''],
  (stage) => claudeCode(stage, registered('Claude Code without application_type')),
);

replay('[F10] [F12] [F17] [F29] [A5] Claude Code known by its document', ['/mcp'], (stage) =>
  claudeCode(stage, documented('Claude Code')),
);

// ------------------------------------------------------------------------- Cursor

const CURSOR_DESKTOP = 'cursor://anysphere.cursor-mcp/oauth/callback';
const CURSOR_AGENTS = 'https://www.cursor.com/agents/mcp/oauth/callback';

replay(
  '[F2] [F5] [F16] [F22] [F29] Cursor registered as a web app with a scheme of its own: looks for the documents itself, is sent back by its scheme, calls, refreshes',
  ['/mcp', '', '/mcp/'],
  (stage) => cursor(stage, registered('Cursor, web with a private scheme'), CURSOR_DESKTOP),
);

replay('[F16] [A5] Cursor known by its document, on the desktop', ['/mcp'], (stage) =>
  cursor(stage, documented('Cursor, web with a private scheme'), CURSOR_DESKTOP),
);

replay('[F16] Cursor registered, for its agents on the web', ['/mcp'], (stage) =>
  cursor(stage, registered('Cursor, web with a private scheme'), CURSOR_AGENTS),
);

// ------------------------------------------------------------------------ VS Code

replay(
  '[F1] [F2] [F8] [F17] [F18] [F22] [F28] [F33] [R6] [D14] VS Code registered with four URIs and device_code: compares the address, answers to a random port, opens a stream, becomes a new client after a 401 and, to write, after a 403',
  ['/mcp', '', '/mcp/'],
  (stage) => vscode(stage, registered('VS Code with device_code'), 'http://127.0.0.1:59656/'),
);

replay(
  '[F17] [F28] [A5] VS Code known by its document, answered through vscode.dev',
  ['/mcp'],
  (stage) => vscode(stage, documented('VS Code with device_code'), 'https://vscode.dev/redirect'),
);

// --------------------------------------------------------------------- mcp-remote

replay(
  '[F13] [F17] [F19] [F24] [F36] mcp-remote registered: begins with GET, starts again a day later, tries its client without a browser, signs in on another port',
  ['/mcp', '', '/mcp/'],
  (stage) => mcpRemote(stage, registered('mcp-remote with software_id')),
);

// ----------------------------------------------------------- what all of them rely on

const AGENTS = [
  'openai-mcp/1.0.0',
  'Claude-User',
  'python-httpx/0.28.1',
  'claude-code/2.1.281 (cli)',
  'Visual Studio Code/1.120.0',
  'node',
  'Mozilla/5.0 (X11; Linux x86_64) Chrome/150.0.0.0 Safari/537.36',
  'curl/8.5.0',
  'Googlebot/2.1',
  '',
];

test.serial(
  '[F23] whoever a client says to be, each answer on the way to a sign-in is the same',
  async (t) => {
    const body = JSON.stringify({ redirect_uris: ['https://any.example/cb'] });
    const form = 'grant_type=refresh_token&refresh_token=none&client_id=nobody';
    const type = { 'content-type': 'application/json' };
    const way = [
      ['POST', '/mcp', { headers: type, body: '{}' }],
      ['HEAD', '/mcp', {}],
      ['GET', '/.well-known/oauth-protected-resource/mcp', {}],
      ['GET', '/.well-known/oauth-authorization-server', {}],
      ['GET', '/.well-known/nothing', {}],
      ['POST', '/oauth2/register', { headers: type, body }],
      [
        'POST',
        '/oauth2/token',
        { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: form },
      ],
    ] as const;
    for (const [method, path, content] of way) {
      const answers = [];
      for (const agent of AGENTS) {
        const headers = { ...('headers' in content && content.headers), 'user-agent': agent };
        const answer = await send(harness.url, path, { ...content, method, headers });
        const { date: _date, 'x-request-id': id, ...rest } = answer.headers;
        // What is made anew each time.
        const text = answer.text
          .replace(String(id), '')
          .replace(/"client_(id|secret)":"[^"]+"/g, '')
          .replace(/"client_id_issued_at":\d+/, '');
        answers.push({ status: answer.status, headers: rest, text });
      }
      for (const answer of answers) t.deepEqual(answer, answers[0]!, `${method} ${path}`);
    }
  },
);

test.serial(
  '[F29] [D8] a connection that is used every 89 days goes on for years, one that rests for 91 signs in again',
  async (t) => {
    const day = 86_400_000;
    const { body: client } = await register(harness.url);
    let { tokens } = await connect(harness, { client });
    for (let used = 0; used < 9; used++) {
      clock.advance(89 * day);
      const { status, body } = await refresh(harness.url, client, tokens.refresh_token);
      t.is(status, 200, JSON.stringify(body));
      tokens = body;
      t.is((await callTool(harness.url, tokens.access_token, 'listCompanies')).status, 200);
    }
    clock.advance(91 * day);
    const over = await refresh(harness.url, client, tokens.refresh_token);
    t.is(over.status, 400);
    t.is((over.body as { error?: string }).error, 'invalid_grant');
  },
);
