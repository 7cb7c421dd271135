import test from 'ava';
import { launchChromium } from './chromium.ts';
import { startTestServer } from './http-server.ts';

test('Chromium opens a page of a local server', async (t) => {
  const server = await startTestServer((_, response) => {
    response.setHeader('content-type', 'text/html');
    response.end('<title>Hello</title>');
  });
  t.teardown(server.close);
  const chromium = await launchChromium();
  t.teardown(chromium.close);
  const page = await chromium.context.newPage();
  await page.goto(`http://localhost:${server.port}/`);
  t.is(await page.title(), 'Hello');
});

test.serial('a missing Chromium is an error, not a reason to skip', async (t) => {
  const before = process.env['CHROMIUM_PATH'];
  process.env['CHROMIUM_PATH'] = '/nowhere/chromium';
  t.teardown(() => {
    if (before === undefined) delete process.env['CHROMIUM_PATH'];
    else process.env['CHROMIUM_PATH'] = before;
  });
  await t.throwsAsync(launchChromium(), { message: /npm run setup/ });
});
