import test from 'ava';
import fc from 'fast-check';
import { redirectTarget, redirectUriProblem } from '../auth/redirect-uri.ts';
import { send } from './raw-http.ts';
import {
  BAD_REDIRECT_URIS,
  badRedirectUris,
  GOOD_REDIRECT_URIS,
  goodRedirectUris,
} from './redirect-uris.ts';
import { startHarness } from './support/harness.ts';
import { authorizationRequest, REDIRECT_URI, register } from './support/oauth.ts';

/** Which redirect URIs a client may register, and that what was accepted is where the browser goes. */

const SCHEMES = ['cursor', 'vscode', 'vscode-insiders', 'windsurf', 'claude'];
const RUNS = process.env.LONG_TESTS ? 1_000_000 : 10_000;

const [harness, otherSchemes] = await Promise.all([
  startHarness(),
  startHarness({ env: { REDIRECT_SCHEMES: 'com.example.app,zed' } }),
]);
const { url } = harness;
test.after.always(() => Promise.all([harness.close(), otherSchemes.close()]));

const isAccepted = (uri: unknown): boolean => redirectUriProblem(uri, SCHEMES) === undefined;

// --------------------------------------------------------------------------- the table

test('[T12] [F16] [A9] https, loopback http and the configured private schemes are accepted, as real clients write them', (t) => {
  const refused = goodRedirectUris.filter((uri) => !isAccepted(uri));
  t.deepEqual(refused, []);
  t.true(goodRedirectUris.length >= 50);
});

test('[T12] [F16] what could lead elsewhere, run something or be read in two ways is refused, with a reason', (t) => {
  t.deepEqual(badRedirectUris.filter(isAccepted), []);
  t.true(badRedirectUris.length >= 200);
  for (const uri of badRedirectUris) {
    const problem = redirectUriProblem(uri, SCHEMES)!;
    t.regex(problem, /^[\x20-\x7e]{5,100}$/);
  }
});

test('[T12] the reason names what is wrong, for a developer to see it at once', (t) => {
  for (const [uri, reason] of [
    [5, 'must be a string'],
    ['x'.repeat(2_049), 'must not be longer than 2048 characters'],
    ['https://a.example/ü', 'must be printable ASCII without spaces'],
    ['https://a.example/a b', 'must be printable ASCII without spaces'],
    ['https://a.example/cb\n', 'must be printable ASCII without spaces'],
    ['https://a.example/{x}', 'contains a character that is not allowed in a URI'],
    ['https://*.a.example/cb', 'must not contain a wildcard'],
    ['https://a.example/%zz', 'contains a percent sign that encodes nothing'],
    ['https://a.example/%0a', 'must not contain encoded control characters'],
    ['a.example/cb', 'must be an absolute URI'],
    ['https://a.example/#x', 'must not contain a fragment'],
    ['https://u@a.example/', 'must not contain userinfo'],
    ['https://A.example/', 'must be in canonical form'],
    ['https://a.example/?code=x', 'must not contain response parameters'],
    ['http://a.example/cb', 'with http must use a loopback host'],
    ['javascript:alert(1)', 'must not use the scheme javascript'],
  ] as const)
    t.is(redirectUriProblem(uri, SCHEMES), reason);
});

for (const [group, uris] of Object.entries(GOOD_REDIRECT_URIS)) {
  test(`[T12] [F16] [A9] registers and is sent its answers there: ${group}`, async (t) => {
    for (const uri of uris) {
      const { status, body } = await register(url, { redirect_uris: [uri] });
      t.is(status, 201, `${uri} ${JSON.stringify(body)}`);
      t.deepEqual(body.redirect_uris, [uri]);

      // An error is enough to see where the browser is sent.
      const asked = authorizationRequest(url, body, { prompt: 'none' });
      const answer = await send(url, asked.url.pathname + asked.url.search);
      t.is(answer.status, 303, uri);
      const location = answer.headers.location!;
      const sent = new URL(location);
      t.is(sent.searchParams.get('error'), 'login_required', location);
      t.is(sent.searchParams.get('state'), asked.state, location);
      for (const name of ['error', 'error_description', 'state', 'iss'])
        sent.searchParams.delete(name);
      t.deepEqual(partsOf(sent), partsOf(new URL(uri)));
    }
  });
}

const partsOf = ({ protocol, host, pathname, searchParams, hash }: URL) => [
  protocol,
  host,
  pathname,
  [...searchParams],
  hash,
];

for (const [group, uris] of Object.entries(BAD_REDIRECT_URIS)) {
  test(`[T12] [F16] [A13] is refused at registration, alone or among good ones: ${group}`, async (t) => {
    for (const uri of uris) {
      for (const redirect_uris of [[uri], [REDIRECT_URI, uri, 'http://localhost:1/cb']]) {
        const { status, body } = await register(url, { redirect_uris });
        const about = JSON.stringify(uri)?.slice(0, 100);
        t.is(status, 400, about);
        t.is(body.error as unknown, 'invalid_redirect_uri', about);
        t.is(body.client_id as unknown, undefined, about);
      }
    }
  });
}

test('[F16] [T12] REDIRECT_SCHEMES decides which private schemes are accepted', async (t) => {
  for (const [uri, status] of [
    ['com.example.app:/cb', 201],
    ['zed://cb', 201],
    ['cursor://anysphere.cursor-mcp/oauth/callback', 400],
    ['com.example.app2:/cb', 400],
    ['com.example:/cb', 400],
  ] as const)
    t.is((await register(otherSchemes.url, { redirect_uris: [uri] })).status, status, uri);
});

test('[F17] [F16] [A9] https on loopback may stand beside every web address, and makes ports exact; private schemes are another app', async (t) => {
  const web = 'https://a.example/cb';
  for (const secure of [
    'https://localhost:8443/cb',
    'https://127.0.0.1/cb',
    'https://[::1]:1/cb',
  ]) {
    for (const [redirect_uris, application_type] of [
      [[secure], 'web'],
      [[secure, web], 'web'],
      [[web, 'http://localhost:3000/cb', secure], 'web'],
      [['http://127.0.0.1/cb', secure], 'web'],
    ] as const) {
      const { status, body } = await register(url, { redirect_uris });
      t.is(status, 201, JSON.stringify(body));
      t.is(body.application_type as unknown, application_type);
      const statusAt = async (redirect_uri: string) => {
        const { pathname, search } = authorizationRequest(url, body, { redirect_uri }).url;
        return (await send(url, pathname + search)).status;
      };
      for (const uri of redirect_uris) t.is(await statusAt(uri), 303, uri);
      for (const uri of [
        'http://localhost:3001/cb',
        'http://127.0.0.1:1/cb',
        'https://localhost/cb',
      ])
        t.is(await statusAt(uri), 400, uri);
    }
    for (const redirect_uris of [
      [secure, 'cursor://anysphere.cursor-mcp/cb'],
      ['http://localhost/cb', 'cursor:/cb', web, secure],
    ]) {
      const { status, body } = await register(url, { redirect_uris });
      t.is(status, 400);
      t.like(body, {
        error: 'invalid_redirect_uri',
        error_description:
          'redirect_uris: https on loopback and private-use schemes must be registered apart',
      });
    }
  }
});

// -------------------------------------------------------------------------- properties

/** What a browser might treat in a way of its own, and what it might be confused by. */
const ODD = [
  ...'\\/:?#@%&=.*;,<>"\'`{}|^[]()!$+~_- \t\n\r\0\x7f\x1b',
  ...['//', '..', '/../', '%2e', '%2f', '%5c', '%00', '%0a', '%40', '%', '\\\\', ':443', ':80'],
  ...['\u00ad', '\u200b', '\u202e', '\ufeff', '\u3002', '\uff0e', '\uff0f', '\uff20', '\u2028'],
  ...['\ud800', 'ü', 'ß', 'ı', 'K', '😀', 'localhost', '127.0.0.1', '[::1]', 'evil.example'],
];
const piece = (...texts: string[]) => fc.constantFrom(...texts);
const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ unit: fc.constantFrom(...ODD), maxLength: 8 }),
);

/** Put together from parts, most of them good, so that much of it is accepted. */
const composed = fc
  .tuple(
    fc.oneof(
      { weight: 5, arbitrary: piece('https', 'http', 'cursor', 'vscode') },
      { weight: 1, arbitrary: piece('HTTPS', 'javascript', 'data', 'ftp', 'file', '', 'x-y.z') },
    ),
    fc.oneof({ weight: 6, arbitrary: piece('://') }, piece(':', ':/', ':///', ':\\\\', '//')),
    fc.oneof({ weight: 8, arbitrary: piece('') }, piece('@', 'u@', 'u:p@', 'a.example:443@')),
    fc.oneof(
      { weight: 5, arbitrary: piece('localhost', '127.0.0.1', '[::1]', 'a.example', 'A.example') },
      { weight: 2, arbitrary: fc.domain() },
      fc.ipV4Extended(),
      fc.ipV6().map((address) => `[${address}]`),
      anyText,
    ),
    fc.oneof(
      { weight: 4, arbitrary: piece('') },
      fc.integer({ min: -1, max: 70_000 }).map((port) => `:${port}`),
      piece(':', ':080', ':*'),
    ),
    fc.oneof({ weight: 4, arbitrary: piece('', '/', '/cb', '/a/b') }, fc.webPath(), anyText),
    fc.oneof({ weight: 4, arbitrary: piece('', '?x=1') }, fc.webQueryParameters(), anyText),
    fc.oneof({ weight: 8, arbitrary: piece('') }, piece('#', '#x')),
  )
  .map((parts) => parts.join(''));

/** A good one into which something was put, or of which something was taken. */
const mutated = fc
  .tuple(fc.constantFrom(...goodRedirectUris), fc.nat(), fc.nat({ max: 3 }), anyText)
  .map(([uri, at, removed, added]) => {
    const i = at % (uri.length + 1);
    return uri.slice(0, i) + added + uri.slice(i + removed);
  });

const anyUri = fc.oneof(
  { weight: 4, arbitrary: composed },
  { weight: 3, arbitrary: mutated },
  { weight: 1, arbitrary: fc.webUrl({ withFragments: true, withQueryParameters: true }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 200 }) },
);

/** RFC 3986 appendix B: how everybody reads a URI who does not have a browser's parser. */
const GENERIC = /^([^:/?#]+):(?:\/\/([^/?#]*))?([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/;

test('[T12] of what is accepted, a URL parser changes nothing, and every parser finds the same host in it', (t) => {
  let accepted = 0;
  fc.assert(
    fc.property(anyUri, (uri) => {
      if (!isAccepted(uri)) return;
      accepted++;
      const parsed = new URL(uri);
      const [, scheme, authority = '', path, query, fragment] = GENERIC.exec(uri)!;
      // The browser takes it from a Location header, relative to our page.
      const followed = new URL(uri, 'https://mcp.example/oauth2/authorize?x=1');
      const same = [uri, `${uri}/`];
      return (
        same.includes(parsed.href) &&
        followed.href === parsed.href &&
        `${scheme}:` === parsed.protocol &&
        authority === parsed.host &&
        [path, `${path}/`].includes(parsed.pathname) &&
        (query ? `?${query}` : '') === parsed.search &&
        fragment === undefined
      );
    }),
    { numRuns: RUNS },
  );
  t.true(accepted > RUNS / 20, `${accepted} of ${RUNS}`);
});

test('[T12] what is accepted has one of the few schemes, no userinfo, no fragment and nothing but printable ASCII', (t) => {
  let accepted = 0;
  fc.assert(
    fc.property(anyUri, (uri) => {
      if (!isAccepted(uri)) return;
      accepted++;
      const { protocol, hostname, username, password, hash } = new URL(uri);
      const scheme = protocol.slice(0, -1);
      return (
        uri.length <= 2_048 &&
        /^[\x21-\x7e]+$/.test(uri) &&
        !/[\\*#]/.test(uri) &&
        !/[\0-\x20\x7f]/.test(
          decodeURIComponent(uri.replaceAll('%20', '+').replace(/%[89a-f]./gi, '')),
        ) &&
        username + password + hash === '' &&
        [...SCHEMES, 'https', 'http'].includes(scheme) &&
        (scheme !== 'https' || hostname !== '') &&
        (scheme !== 'http' || ['localhost', '127.0.0.1', '[::1]'].includes(hostname))
      );
    }),
    { numRuns: RUNS },
  );
  t.true(accepted > RUNS / 20, `${accepted} of ${RUNS}`);
});

test('[T12] an answer added to what is accepted goes to the same place, which is the one that people are shown', (t) => {
  let accepted = 0;
  fc.assert(
    fc.property(anyUri, (uri) => {
      if (!isAccepted(uri)) return;
      accepted++;
      const answer = new URL(uri);
      for (const name of ['code', 'state', 'iss']) answer.searchParams.append(name, `the ${name}`);
      const { kind, name } = redirectTarget(uri);
      return (
        answer.protocol === new URL(uri).protocol &&
        answer.host === new URL(uri).host &&
        answer.pathname === new URL(uri).pathname &&
        answer.searchParams.getAll('code').length === 1 &&
        answer.searchParams.get('state') === 'the state' &&
        (kind === 'app' ? uri.startsWith(name) : uri.split('/')[2] === name)
      );
    }),
    { numRuns: RUNS },
  );
  t.true(accepted > RUNS / 20, `${accepted} of ${RUNS}`);
});

test('[T12] one character that is in no URI is enough, wherever it stands', (t) => {
  const bad = fc.oneof(
    fc.integer({ min: 0, max: 0x20 }).map((code) => String.fromCharCode(code)),
    fc.integer({ min: 0x7f, max: 0xffff }).map((code) => String.fromCharCode(code)),
    fc.constantFrom(...'\\*<>"`{}|^#'),
  );
  fc.assert(
    fc.property(fc.constantFrom(...goodRedirectUris), fc.nat(), bad, (uri, at, character) => {
      const i = at % (uri.length + 1);
      return !isAccepted(uri.slice(0, i) + character + uri.slice(i));
    }),
    { numRuns: RUNS },
  );
  t.pass();
});

test('[T12] whatever is sent as a redirect URI, the answer is a short reason or none, and never an exception', (t) => {
  const anything = fc.oneof(anyUri, fc.anything({ withNullPrototype: true, maxDepth: 3 }));
  fc.assert(
    fc.property(anything, (value) => {
      const problem = redirectUriProblem(value, SCHEMES);
      return problem === undefined
        ? typeof value === 'string'
        : /^[\x20-\x7e]{5,100}$/.test(problem);
    }),
    { numRuns: RUNS },
  );
  t.pass();
});

/** Made to keep a pattern, or a parser, busy. */
const LABORIOUS = [
  '@',
  ':',
  '/',
  '?',
  '%',
  '%2e/',
  '../',
  'a@',
  'a:',
  '[',
  '::',
  'xn--a.',
  '&code',
  '=&',
  '\\',
  '\u0300',
];

test('[T12] what takes longest to read takes no longer than its length deserves', (t) => {
  // Without a limit on length, these would be 60 MB each.
  for (const part of LABORIOUS) {
    for (const start of ['', 'https://', 'https://a.example/', 'https://a.example/?', 'cursor:'])
      t.truthy(redirectUriProblem(start + part.repeat(20_000_000 / part.length), SCHEMES));
  }
  if (!process.env.LONG_TESTS) return;
  const millisecondsFor = (length: number): number => {
    const started = performance.now();
    for (const part of LABORIOUS) {
      for (const start of ['https://', 'https://a.example/?', 'cursor:']) {
        const uri = (start + part.repeat(length)).slice(0, length);
        for (let i = 0; i < 200; i++) redirectUriProblem(uri, SCHEMES);
      }
    }
    return performance.now() - started;
  };
  millisecondsFor(2_048);
  const [short, long] = [millisecondsFor(256), millisecondsFor(2_048)];
  // Eight times as long; what grows with the square would take 64 times.
  t.true(long < 24 * short, `${short} ms, ${long} ms`);
});
