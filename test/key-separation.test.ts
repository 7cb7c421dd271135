import { createHmac, randomBytes } from 'node:crypto';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { VERSION_LENGTH } from '../adapters/redis/commit-script.ts';
import { type Context, sealContext } from '../adapters/sealed-kinds.ts';
import { createSecrets, deriveKey, isSame, PURPOSES, SealBroken } from '../adapters/secrets.ts';
import { openConsent } from './login-support.ts';
import { startHarness } from './support/harness.ts';
import { answerConsent, callTool, connect, refresh, register } from './support/oauth.ts';

const ROOT = join(import.meta.dirname, '..');
const newMaster = () => new Uint8Array(randomBytes(32));
const encode = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url');
const master = fc.uint8Array({ minLength: 32, maxLength: 32 });

/** RFC 5869 with SHA-256 and no salt, for one block: written out, not asked of the same function. */
function hkdf(key: Uint8Array, info: string): Buffer {
  const prk = createHmac('sha256', Buffer.alloc(32)).update(key).digest();
  return createHmac('sha256', prk)
    .update(Buffer.concat([Buffer.from(info), Buffer.from([1])]))
    .digest();
}

test.serial('[T52] no two purposes share a key, and none is a master key (property)', (t) => {
  fc.assert(
    fc.property(
      fc.uniqueArray(master, { minLength: 1, maxLength: 3, selector: encode }),
      (keys) => {
        const all = keys.flatMap((key) => [
          encode(key),
          ...PURPOSES.map((purpose) => encode(deriveKey(key, purpose))),
        ]);
        return new Set(all).size === all.length;
      },
    ),
    { numRuns: process.env.LONG_TESTS ? 1_000_000 : 10_000 },
  );
  t.is(new Set(PURPOSES).size, PURPOSES.length);
});

test.serial('[T52] a key is HKDF of the master key and its label, and labels never change', (t) => {
  const key = newMaster();
  // What is sealed and signed under them is in stores out there.
  t.deepEqual(PURPOSES, [
    'seal',
    'cookies',
    'mac refresh-token',
    'mac consent',
    'mac browser',
    'mac account',
  ]);
  for (const purpose of PURPOSES) {
    t.is(encode(deriveKey(key, purpose)), encode(hkdf(key, `neonpanel-mcp ${purpose}`)), purpose);
  }
});

test.serial('[T52] what is made for one purpose is worth nothing in another', async (t) => {
  const key = newMaster();
  const secrets = createSecrets([key]);
  const code = secrets.mac('refresh-token', 'message');
  t.true(secrets.verifyMac('refresh-token', 'message', code));
  t.false(secrets.verifyMac('consent', 'message', code));
  t.false(secrets.verifyMac('refresh-token', 'message ', code));
  // Nor is what another key would make of the same message.
  for (const other of [key, ...PURPOSES.map((purpose) => deriveKey(key, purpose))]) {
    const made = createHmac('sha256', other).update('message').digest('base64url');
    const expected = encode(other) === encode(deriveKey(key, 'mac consent'));
    t.is(secrets.verifyMac('consent', 'message', made), expected);
  }
  t.deepEqual([...secrets.cookieKeys], [encode(deriveKey(key, 'cookies'))]);

  const contexts = ['signing keys', 'client c', 'credential g 1', 'credential g 2', 'login g'];
  const sealed = await Promise.all(
    contexts.map((context) => secrets.seal({ x: 1 }, context as Context)),
  );
  for (const [i, record] of sealed.entries()) {
    for (const [j, context] of contexts.entries()) {
      if (i === j) t.deepEqual(await secrets.open(record, context), { x: 1 });
      else await t.throwsAsync(secrets.open(record, context), { instanceOf: SealBroken });
    }
  }
});

test.serial(
  '[T52] the first key makes, all that are listed take, and one that is gone is refused',
  async (t) => {
    const [old, fresh] = [newMaster(), newMaster()];
    const before = createSecrets([old]);
    const during = createSecrets([fresh, old]);
    const after = createSecrets([fresh]);
    const code = before.mac('refresh-token', 'm');
    const sealed = await before.seal('value', 'context' as Context);
    t.true(during.verifyMac('refresh-token', 'm', code));
    t.is(await during.open(sealed, 'context'), 'value');
    t.is(during.cookieKeys[1], before.cookieKeys[0]);
    t.false(after.verifyMac('refresh-token', 'm', code));
    await t.throwsAsync(after.open(sealed, 'context'), { instanceOf: SealBroken });
    t.false(after.cookieKeys.includes(before.cookieKeys[0]!));
    t.not(during.mac('refresh-token', 'm'), code);
    t.is(await after.open(await during.seal('value', 'context' as Context), 'context'), 'value');
    t.true(after.verifyMac('refresh-token', 'm', during.mac('refresh-token', 'm')));
  },
);

test.serial(
  '[T52] cookies, form codes, refresh tokens and seals of an old master key are taken while it is listed, and refused after',
  async (t) => {
    const [old, fresh] = [newMaster(), newMaster()];
    const env: Record<string, string> = { MASTER_KEYS: encode(old) };
    const harness = await startHarness({ store: 'redis', env });
    t.teardown(harness.close);
    const { url } = harness;
    const confidential = { token_endpoint_auth_method: 'client_secret_post' };
    const client = (await register(url, confidential)).body;
    const first = await connect(harness, { client });
    const pages = [await openConsent(harness), await openConsent(harness)] as const;

    env.MASTER_KEYS = `${encode(fresh)},${encode(old)}`;
    await harness.restart();
    t.is((await answerConsent(pages[0].page)).status, 200, 'cookies and form code');
    const renewed = await refresh(url, client, first.tokens.refresh_token);
    t.is(renewed.status, 200, 'refresh token and sealed client secret');
    const call = (accessToken: string) => callTool(url, accessToken, 'listCompanies');
    t.is((await call(renewed.body.access_token)).status, 200, 'sealed credential');

    // The signing keys are sealed anew, as an operator does before an old key goes.
    const redis = new Redis(harness.redis!.url);
    t.teardown(() => redis.disconnect());
    const name = 'neonpanel-mcp:{keys}:signing';
    const stored = (await redis.get(name))!;
    const keys = await createSecrets([old]).open(stored.slice(VERSION_LENGTH), 'signing keys');
    const sealed = await createSecrets([fresh]).seal(keys, sealContext.signingKeys());
    await redis.set(name, stored.slice(0, VERSION_LENGTH) + sealed);
    env.MASTER_KEYS = encode(fresh);
    await harness.restart();
    const late = await answerConsent(pages[1].page);
    t.true([400, 403].includes(late.status), `cookies and form code: ${late.status}`);
    t.is((await refresh(url, client, renewed.body.refresh_token)).status, 401, 'client secret');
    t.is((await call(renewed.body.access_token)).status, 401, 'credential');
    const open = await connect(harness);
    t.is((await call(open.tokens.access_token)).status, 200, 'a new connection works');
  },
);

/** Where and how something secret is compared. */
const COMPARISONS: readonly [what: string, file: string, how: RegExp][] = [
  ['MACs: form codes, refresh tokens', 'adapters/secrets.ts', /timingSafeEqual\(given, expected\)/],
  ['hashes', 'adapters/secrets.ts', /function isSame.* timingSafeEqual\(one, other\)/],
  ['the form code', 'auth/csrf.ts', /secrets\.verifyMac\('consent',/],
  [
    'the form code of a session',
    'auth/account/sessions.ts',
    /secrets\.verifyMac\('account', id, code\)/,
  ],
  ['a refresh token', 'auth/refresh-token.ts', /secrets\.verifyMac\('refresh-token',/],
  ['a code', 'auth/grants/authorization-code.ts', /!isSame\(hash, digest\(code\)\)/],
  ['a code that comes again', 'adapters/grants.ts', /isSame\(grant\.codeHash, digest\(code\)\)/],
  ['PKCE', 'auth/grants/authorization-code.ts', /timingSafeEqual\(given, expected\)/],
  ['state', 'auth/login-transaction.ts', /!isSame\(record\.stateHash, digest\(state\)\)/],
  [
    'the binding cookie',
    'auth/login-transaction.ts',
    /!isSame\(record\.nonceHash, digest\(nonce\)\)/,
  ],
];

test.serial('[T72] every secret is compared in constant time', (t) => {
  for (const [what, file, how] of COMPARISONS) {
    t.regex(readFileSync(join(ROOT, file), 'utf8').replace(/\s+/g, ' '), how, what);
  }
});

test.serial(
  '[T72] the comparison tells same from different, whatever the lengths (property)',
  (t) => {
    const secrets = createSecrets([newMaster()]);
    const code = secrets.mac('consent', 'm');
    t.true(isSame(code, code));
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), fc.nat(42), (text, at) => {
        const changed = code.slice(0, at) + (code[at] === 'A' ? 'Q' : 'A') + code.slice(at + 1);
        return (
          isSame(text, text) &&
          !isSame(text, `${text}x`) &&
          !isSame(`${text}x`, `${text}é`) &&
          !isSame(code, changed) &&
          !secrets.verifyMac('consent', 'm', text) &&
          !secrets.verifyMac('consent', 'm', code.slice(0, at))
        );
      }),
      { numRuns: 10_000 },
    );
  },
);

/** Names of what must not be compared byte by byte until the first difference. */
const SECRET_NAME =
  /\b\w*(?:secret|token|verifier|mac|nonce|csrf|password|signature|digest|hash|code)\w*(?:\(\w*\))?$/i;

/** Comparisons that look like one of a secret, and why they are none. */
const HARMLESS: Readonly<Record<string, string>> = {
  'credential.accessToken !== refused': 'two credentials that we hold ourselves',
  'credential.accessToken === stale.accessToken': 'two credentials that we hold ourselves',
  'sqliteCode(error) !== FULL': 'an error code',
};

test.serial(
  '[T72] no comparison in the sources takes a secret by === (list of exceptions)',
  (t) => {
    const files = globSync('{auth,adapters,http,keys,mcp}/**/*.ts', { cwd: ROOT });
    const found = files.flatMap((file) => {
      const source = readFileSync(join(ROOT, file), 'utf8').replace(/\/\*[^]*?\*\/|\/\/.*$/gm, '');
      return [...source.matchAll(/([\w.?!()[\]]+) [!=]== ([\w.?!()[\]]+|'[^']*'|`[^`]*`)/g)]
        .filter(([, left, right]) => !isConstant(left!) && !isConstant(right!))
        .filter(([, left, right]) => [left!, right!].some((side) => SECRET_NAME.test(bare(side))))
        .map(([text]) => `${file}: ${text}`);
    });
    t.deepEqual(
      found.filter((text) => !Object.keys(HARMLESS).some((part) => text.includes(part))),
      [],
    );
  },
);

const bare = (expression: string) => expression.replace(/[!?]/g, '');
const isConstant = (side: string) =>
  /^(?:'|`|\d|undefined|null|true|false|[A-Z_]{3,}$)/.test(side) || /\.length$/.test(side);
