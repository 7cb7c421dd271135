import test, { type ExecutionContext } from 'ava';
import { createBrowser } from './browser.ts';
import { startTestServer, type TestServer } from './http-server.ts';

type Answer = Parameters<typeof startTestServer>[0];

async function serve(t: ExecutionContext, answer: Answer): Promise<TestServer & { url: string }> {
  const server = await startTestServer(answer);
  t.teardown(server.close);
  return { ...server, url: `http://localhost:${server.port}` };
}

test('redirects are followed and remembered', async (t) => {
  const { url } = await serve(t, ({ url: { pathname } }, response) => {
    if (pathname === '/two') return response.end('<h1>there</h1>');
    const to = pathname === '/' ? '/one' : '/two#part';
    return response.writeHead(302, { location: to, 'set-cookie': `at=${pathname}` }).end();
  });
  const page = await createBrowser().goto(url);
  t.is(page.url, `${url}/two#part`);
  t.is(page.dom.querySelector('h1')?.text, 'there');
  t.deepEqual(
    page.history.map((h) => [h.url, h.status, ...h.setCookie]),
    [
      [`${url}/`, 302, 'at=/'],
      [`${url}/one`, 302, 'at=/one'],
      [`${url}/two#part`, 200],
    ],
  );
  t.is(page.stoppedAt, undefined);
});

test('it stops where it is told to, and at schemes of other applications', async (t) => {
  const { url, requests } = await serve(t, ({ url: { searchParams } }, response) =>
    response.writeHead(303, { location: searchParams.get('to')! }).end(),
  );
  const browser = createBrowser();
  browser.stopAt((to) => to.pathname === '/cb');
  const stopped = await browser.goto(`${url}/?to=${encodeURIComponent('/cb?code=1')}`);
  t.is(stopped.stoppedAt?.href, `${url}/cb?code=1`);
  t.is(stopped.status, 303);
  const app = await browser.goto(`${url}/?to=cursor://host/cb`);
  t.is(app.stoppedAt?.href, 'cursor://host/cb');
  t.is(requests.length, 2);
});

test('an endless redirect ends', async (t) => {
  const { url } = await serve(t, (_, response) => response.writeHead(302, { location: '/' }).end());
  await t.throwsAsync(createBrowser().goto(url), { message: /too many redirects/ });
});

test('cookies stay with their host and path, and a copy has its own from then on', async (t) => {
  const { url, requests } = await serve(t, (_, response) => {
    response.setHeader('set-cookie', ['__Host-a=1; Path=/; Secure', 'b=2; Path=/sub']);
    response.end();
  });
  const browser = createBrowser();
  await browser.goto(`${url}/`);
  await browser.goto(`${url}/sub`);
  t.is(requests[1]!.headers.cookie, 'b=2; __Host-a=1');
  const copy = browser.copy();
  t.true(copy.setCookie(url, 'c=3; Path=/'));
  t.deepEqual(
    copy.cookies(url).map((c) => c.key),
    ['__Host-a', 'c'],
  );
  t.deepEqual(
    browser.cookies(url).map((c) => c.key),
    ['__Host-a'],
  );
  t.deepEqual(browser.cookies('http://127.0.0.1/'), []);
  t.false(browser.setCookie(url, '__Host-x=1; Path=/sub; Secure'));
});

const FORM = `<form id="f" action="/send" method="POST">
  <input type="hidden" name="csrf" value="&quot;t&amp;1&quot;"><input name="who" value="me">
  <input type="checkbox" name="scope" value="w"><input type="checkbox" name="scope" value="r" checked>
  <input type="radio" name="one" value="1" checked><input type="radio" name="one" value="2">
  <select name="s"><option value="x">X</option><option value="y" selected>Y</option></select>
  <textarea name="t">a&lt;b</textarea><input name="off" value="1" disabled>
  <button name="decision" value="deny">No</button>
  <button name="decision" value="approve" formaction="/approve">Yes</button></form>
  <a id="l" href="next">next</a>`;

test('a form is filled in and sent as a browser does', async (t) => {
  const { url, requests } = await serve(t, (_, response) => response.end(FORM));
  const page = await createBrowser({ headers: { 'x-test': '1' } }).goto(`${url}/dir/page`);
  const form = page.form('#f').fill('who', 'you').check('scope', 'w').check('one', '2');
  form.uncheck('scope', 'r');
  const next = await form.submit({ decision: 'approve' });
  const sent = requests[1]!;
  t.is(next.url, `${url}/approve`);
  t.is(sent.method, 'POST');
  t.is(sent.headers['x-test'], '1');
  t.deepEqual(
    [...new URLSearchParams(sent.body)],
    Object.entries({ csrf: '"t&1"', who: 'you', scope: 'w', one: '2', s: 'y', t: 'a<b' }).concat([
      ['decision', 'approve'],
    ]),
  );
  await page.form().submit();
  t.is(new URLSearchParams(requests[2]!.body).get('decision'), 'deny');
  t.is((await page.follow('#l')).url, `${url}/dir/next`);
});

test('what a form lacks cannot be filled in, ticked or pressed', async (t) => {
  const { url } = await serve(t, (_, response) => response.end(FORM));
  const page = await createBrowser().goto(url);
  t.throws(() => page.form().fill('csrf', 'x'), { message: /no text field csrf/ });
  t.throws(() => page.form().check('scope', 'x'), { message: /no box field scope=x/ });
  t.throws(() => page.form().submit({ decision: 'maybe' }), { message: /no button/ });
  t.throws(() => page.form('#other'), { message: /^0 elements match/ });
});
