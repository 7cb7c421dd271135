import test from 'ava';
import { startHarness } from './support/harness.ts';
import { createBrowser } from './support/browser.ts';
import { answerLogin, connect, callTool } from './support/oauth.ts';

const harness = await startHarness({ store: 'redis', instances: 2 });
test.after.always(() => harness.close());

test('try', async (t) => {
  const { tokens } = await connect(harness);
  await callTool(harness.url, tokens.access_token, 'listCompanies');
  const browser = createBrowser();
  const page = await browser.goto(`${harness.url}/account`);
  t.log(page.status, page.text);
  const login = await page.form().submit();
  t.log(login.url, login.status);
  const list = await answerLogin(login, harness.sandbox.users[0]!);
  t.log(list.url, list.status, list.text, list.history.map((h) => h.setCookie));
  const ask = await list.follow('.connection a');
  t.log(ask.text);
  const after = await ask.form().submit();
  t.log(after.text);
  t.log((await callTool(harness.url, tokens.access_token, 'listCompanies')).status);
  t.log(harness.logs.text().split('\n').filter((l) => /audit/.test(l)).slice(-6).join('\n'));
  t.pass();
});
