import { globSync, readFileSync } from 'node:fs';
import test from 'ava';
import { approve, openConsent, uidOf } from './login-support.ts';
import { createBrowser } from './support/browser.ts';
import { startHarness } from './support/harness.ts';
import { answerConsent, authorizationRequest, register, userBrowser } from './support/oauth.ts';
import { type Language, LANGUAGE_CODES, LANGUAGES } from '../views/languages.ts';
import { PLACEHOLDER, TEXTS } from '../views/texts/texts.ts';

/** In which language pages speak, and that they do so in all of them. */

const harness = await startHarness();
const { url, sandbox } = harness;
test.after.always(() => harness.close());

// ---------------------------------------------------------------------- the texts

/** Every text by its path, e.g. `messages.over.title`. */
function flat(texts: object, path = ''): [path: string, text: string][] {
  return Object.entries(texts).flatMap(([name, value]) =>
    typeof value === 'string'
      ? [[path + name, value] as [string, string]]
      : flat(value as object, `${path}${name}.`),
  );
}
const places = (text: string) => [...text.matchAll(PLACEHOLDER)].map(([, name]) => name).sort();
const english = new Map(flat(TEXTS.en));

test.serial('five languages have a file each, and none lacks a text or has one too many', (t) => {
  const files = globSync('../views/texts/??.ts', { cwd: import.meta.dirname });
  t.deepEqual(files.map((file) => file.slice(-5, -3)).sort(), [...LANGUAGE_CODES].sort());
  t.deepEqual(LANGUAGE_CODES, ['en', 'de', 'fr', 'es', 'ja']);
  for (const language of LANGUAGE_CODES) {
    const texts = flat(TEXTS[language]);
    t.deepEqual(texts.map(([path]) => path).sort(), [...english.keys()].sort(), language);
    for (const [path, text] of texts) {
      const what = `${language} ${path}`;
      t.true(text.length > 0 && text === text.trim(), what);
      t.deepEqual(places(text), places(english.get(path)!), `${what} has the same placeholders`);
      t.notRegex(text, /[<>]|&\w*;/, `${what} is text, not markup`);
      if (language !== 'en') t.not(text, english.get(path), `${what} is translated`);
    }
  }
});

test.serial('what an app may read is called the same wherever it is said', (t) => {
  for (const language of LANGUAGE_CODES) {
    const { consent, account } = TEXTS[language];
    const [list] = /\S+[,、][^.。]*/.exec(consent.readAllows.replace('NeonPanel にある', ''))!;
    const said = list.replace(/ \S+ NeonPanel$/, '');
    t.true(said.split(/[,、]/).length >= 6, said);
    t.true(account.mayRead.includes(said), `${language}: ${said}`);
  }
});

/** What a typesetter of the language would not let pass. */
const CLUMSY: Readonly<Record<Language, RegExp>> = {
  en: /['"]|\.\.\./,
  de: /['"”]|\.\.\.|„[^“]*$/,
  // Before a colon a space that doesn't break, before the other high marks and within quotation marks a narrow one.
  fr: /['"]|\.\.\.|[^\u202f][?!;»]|[^\u00a0]:|«[^\u202f]|[“”]/,
  es: /['"“”]|\.\.\.|^[^¿]*\?/,
  ja: /['"?!,;]|[。、：）「」] |[^\x20-\x7e]:|[あ-んア-ン一-龯]\(/,
};

test.serial('texts are set as the language is', async (t) => {
  for (const language of LANGUAGE_CODES)
    for (const [path, text] of flat(TEXTS[language])) t.notRegex(text, CLUMSY[language], path);
  const { page } = await openConsent(harness, { parameters: { ui_locales: 'ja' } });
  const { consent } = TEXTS.ja;
  const main = page.dom.querySelector('main')!.text;
  for (const together of [consent.read + consent.readAllows, consent.write + consent.writeAllows])
    t.true(main.includes(together), 'no space between Japanese sentences');
});

test.serial('templates hold no text of their own', (t) => {
  const files = globSync('../views/*.eta', { cwd: import.meta.dirname });
  t.true(files.length >= 4);
  for (const file of files) {
    const template = readFileSync(new URL(file, import.meta.url), 'utf8');
    const bare = template.replaceAll(/<%[^]*?%>/g, '').replaceAll(/<[^>]*>/g, '');
    t.notRegex(bare, /[^\s–]/, file);
    // Nor in attributes that are read to people, nor as strings in what is put out.
    for (const [, attribute, value] of template.matchAll(/ (alt|title|aria-label)="([^"]*)"/g))
      t.regex(value!, /^(<%=[^%]*%>)?$/, `${file}: ${attribute}`);
    for (const [, output] of template.matchAll(/<%[=~]([^]*?)%>/g))
      t.notRegex(output!, /'(?=[^']*[A-Z ])[^' ][^']*'/, file);
  }
});

// ---------------------------------------------------------------------- which one

const titleOf = (language: Language) => TEXTS[language].home.title;

for (const [accepted, language] of [
  ['de', 'de'],
  ['de-CH, en;q=0.5', 'de'],
  ['pt-BR, fr;q=0.9, en;q=0.8', 'fr'],
  ['ja;q=0.1, es-419;q=0.9', 'es'],
  ['JA-jp', 'ja'],
  ['en-GB,en;q=0.9,de;q=0.8', 'en'],
  ['zz, *;q=0.5', 'en'],
  ['*', 'en'],
  ['de;q=0, fr', 'fr'],
  [',;=q, ..', 'en'],
  ['', 'en'],
] as const) {
  test.serial(`a browser that accepts “${accepted}” reads ${LANGUAGES[language]}`, async (t) => {
    const headers = { 'accept-language': accepted };
    const page = await createBrowser().goto(`${url}/`, { headers });
    t.is(page.dom.querySelector('html')?.getAttribute('lang'), language);
    t.is(page.headers.get('content-language'), language);
    t.is(page.dom.querySelector('h1')?.text, titleOf(language));
    const vary = page.headers.get('vary')!.toLowerCase().split(', ');
    for (const name of ['accept', 'accept-language', 'cookie']) t.true(vary.includes(name), name);
  });
}

for (const [uiLocales, language] of [
  ['ja', 'ja'],
  ['pt-BR de-AT en', 'de'],
  ['FR-ca', 'fr'],
  ['zz', 'es'],
  ['', 'es'],
] as const) {
  test.serial(
    `an app that asks for ui_locales=“${uiLocales}” gets ${LANGUAGES[language]}, before what the browser accepts`,
    async (t) => {
      const browser = createBrowser({ headers: { 'accept-language': 'es' } });
      const { page } = await openConsent(harness, {
        parameters: { ui_locales: uiLocales },
        browser,
      });
      t.is(page.headers.get('content-language'), language);
      const { client } = (await openConsent(harness)).attempt;
      const request = authorizationRequest(url, client, { ui_locales: uiLocales, scope: 'wrong' });
      request.url.searchParams.set('redirect_uri', 'https://elsewhere.example/');
      const error = await createBrowser({ headers: { 'accept-language': 'es' } }).goto(request.url);
      t.is(error.status, 400);
      t.is(error.headers.get('content-language'), language, 'and so are pages of what goes wrong');
    },
  );
}

test.serial(
  'links on the page switch the language, and the request goes on to its end',
  async (t) => {
    const { page, browser, attempt, uid } = await openConsent(harness);
    const links = page.dom.querySelectorAll('nav a');
    t.deepEqual(
      links.map((link) => [link.getAttribute('lang'), link.text]),
      Object.entries(LANGUAGES),
    );
    t.is(page.dom.querySelector('nav [aria-current]')?.text, 'English');

    const german = await page.follow('nav a[lang=de]');
    t.is(german.status, 200);
    t.is(uidOf(german), uid);
    t.is(german.headers.get('content-language'), 'de');
    t.is(german.dom.querySelector('button[value=approve]')?.text, TEXTS.de.consent.approve);
    const kept = german.history[0]!.setCookie.find((cookie) => cookie.includes('-language='));
    t.regex(
      kept!,
      /^__Host-neonpanel-language=chosen-de; Path=\/; Max-Age=3600; Secure; HttpOnly;/,
    );

    // Pages further on have nothing in their address that would tell.
    harness.sandbox.faults.set('html-500', { operation: 'metadata', times: 2 });
    const away = await answerConsent(german);
    t.is(away.dom.querySelector('h1')?.text, TEXTS.de.messages.neonpanelAway.title);
    const again = await away.follow('a.button');
    t.is(again.headers.get('content-language'), 'de');
    const upstream = await approve(harness, { page: again, browser, attempt });
    const callback = new URL(upstream.searchParams.get('redirect_uri')!);
    callback.search = new URLSearchParams({ state: `${uid}.forged`, code: 'x' }).toString();
    const over = await browser.goto(callback);
    t.is(over.dom.querySelector('h1')?.text, TEXTS.de.messages.over.title);
    const login = await browser.goto(upstream);
    const user = sandbox.users[0]!;
    const form = login.form().fill('email', user.email).fill('password', user.password);
    t.truthy((await form.submit()).stoppedAt?.searchParams.get('code'));
  },
);

test.serial(
  'what the user chose outlives what the next app asks for; what an app asked for does not',
  async (t) => {
    const client = (await register(url)).body;
    const ask = (locales?: string) =>
      authorizationRequest(url, client, { ui_locales: locales }).url;
    const browser = userBrowser(authorizationRequest(url, client));
    const language = async (to: string | URL) =>
      (await browser.goto(to)).headers.get('content-language');
    t.is(await language(ask('fr')), 'fr');
    t.is(await language(`${url}/nowhere`), 'fr', 'still on this way');
    t.is(await language(ask('ja')), 'ja');
    t.is(await language(`${url}/?lang=es`), 'es');
    t.is(await language(ask('ja')), 'es');
  },
);

test.serial(
  'a language that we don’t speak, or a cookie that somebody made up, changes nothing',
  async (t) => {
    for (const value of ['xx', 'de"><b>', 'constructor', '__proto__', '']) {
      const browser = createBrowser({ headers: { 'accept-language': 'fr' } });
      const address = `${url}/?lang=${encodeURIComponent(value)}`;
      t.is((await browser.goto(address)).headers.get('content-language'), 'fr', value);
      for (const cookie of [`chosen-${value}`, value, `-${value}`]) {
        const headers = { cookie: `__Host-neonpanel-language=${encodeURIComponent(cookie)}` };
        const page = await browser.goto(`${url}/`, { headers });
        t.is(page.headers.get('content-language'), 'fr', cookie);
      }
    }
  },
);

test.serial(
  '[T58] a page whose address matters does not repeat it in links, and offers no other language',
  async (t) => {
    for (const path of [
      '/oauth2/authorize?client_id=nobody-here&state=keep-this',
      '/oauth2/authorize/callback?code=secret-code&state=x',
      '/nowhere?next=keep-this',
    ]) {
      const page = await createBrowser().goto(url + path);
      t.is(page.dom.querySelector('nav'), null, path);
      t.notRegex(page.text, /keep-this|secret-code/, path);
    }
    const plain = await createBrowser().goto(`${url}/nowhere`);
    const french = await plain.follow('nav a[lang=fr]');
    t.is(french.dom.querySelector('h1')?.text, TEXTS.fr.messages.notFound.title);
  },
);

test.serial(
  'every refusal is told in the reader’s language, and to programs in English',
  async (t) => {
    const client = (await register(url)).body;
    const foreign = `/oauth2/authorize?client_id=${client.client_id}&redirect_uri=https://evil.example/`;
    const refusals = [
      ['/nowhere', 'notFound'],
      ['/oauth2/authorize?client_id=nobody-here', 'unknownClient'],
      ['/oauth2/authorize?client_id=https:nowhere', 'notAnAddress'],
      [foreign, 'notPossible'],
      [`/oauth2/authorize?state=${'x'.repeat(5_000)}`, 'notPossible'],
      ['/interaction/aaaaaaaaaaaaaaaaaaaaa', 'expired'],
      ['/oauth2/authorize/callback', 'over'],
    ] as const;
    const descriptions = new Map<string, string>();
    for (const language of LANGUAGE_CODES) {
      for (const [path, key] of refusals) {
        const headers = { 'accept-language': language };
        const { dom } = await createBrowser({ headers }).goto(url + path);
        const { title, text, todo } = TEXTS[language].messages[key];
        const told = [...dom.querySelectorAll('h1, main > p')].map((one) => one.text);
        t.deepEqual(told, [title, text, todo], `${language} ${path}`);
        const forMaker = dom.querySelector('.support span');
        t.is(forMaker?.getAttribute('lang'), forMaker ? 'en' : undefined);
        const json = { ...headers, accept: 'application/json' };
        const { error_description } = (await (
          await fetch(url + path, { headers: json })
        ).json()) as {
          error_description: string;
        };
        t.regex(error_description, /^[\x20-\x7e]+$/, `${language} ${path}`);
        const known = descriptions.get(path) ?? error_description;
        descriptions.set(path, known);
        t.is(error_description, known);
      }
    }
  },
);
