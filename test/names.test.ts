import dns, { type LookupAddress, type LookupOptions } from 'node:dns';
import { syncBuiltinESMExports } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { type AtConsent, openConsent } from './login-support.ts';
import type { Page } from './support/browser.ts';
import { type Harness, startHarness } from './support/harness.ts';
import { answerConsent, answerLogin, callTool, connect, refresh } from './support/oauth.ts';
import { freePort } from './support/ports.ts';

/** NeonPanel's name cannot be resolved for a while: the same as a NeonPanel that is away. */

const NAME = 'neonpanel.localhost';
type Callback = (
  error: NodeJS.ErrnoException | null,
  address?: string | LookupAddress[],
  family?: number,
) => void;

/** The resolver of this process, which every connection asks. */
const names = { state: 'up' as 'up' | 'ENOTFOUND' | 'EAI_AGAIN' | 'silent', asked: 0 };
const lookup = dns.lookup;
dns.lookup = ((hostname: string, options: LookupOptions, callback: Callback) => {
  if (hostname !== NAME) return lookup(hostname, options, callback as never);
  names.asked++;
  const { state } = names;
  if (state === 'silent') return;
  setImmediate(() => {
    if (state !== 'up') {
      const message = `getaddrinfo ${state} ${NAME}`;
      return callback(Object.assign(new Error(message), { code: state, syscall: 'getaddrinfo' }));
    }
    if (options.all) callback(null, [{ address: '127.0.0.1', family: 4 }]);
    else callback(null, '127.0.0.1', 4);
  });
}) as typeof dns.lookup;
syncBuiltinESMExports();

const port = await freePort();
const url = `http://${NAME}:${port}`;
const harness: Harness = await startHarness({
  neonpanelUrl: url,
  sandbox: { port, publicUrl: url },
});
test.after.always(() => harness.close());

const SILENCES = 10;
/** What an answer must not tell about how we look for NeonPanel. */
const INSIDE = /ENOTFOUND|EAI_AGAIN|getaddrinfo|neonpanel\.localhost/;

/** From one state to the other, without the connections that there are. */
async function resolves(state: typeof names.state): Promise<void> {
  names.state = state;
  await harness.restart();
}

async function assertPageOffersAWay(t: ExecutionContext, page: Page): Promise<void> {
  t.is(page.status, 502);
  t.notRegex(page.text, INSIDE);
  t.truthy(page.dom.querySelector('a.button'), page.text);
  t.is(page.stoppedAt, undefined);
}

async function finish(t: ExecutionContext, page: Page, { attempt }: AtConsent): Promise<void> {
  const login = await answerConsent(await page.follow('a.button'));
  const end = await answerLogin(login, harness.sandbox.users[0]!);
  t.is(end.stoppedAt?.searchParams.get('state'), attempt.state, end.text);
  t.truthy(end.stoppedAt?.searchParams.get('code'));
}

for (const state of ['ENOTFOUND', 'EAI_AGAIN'] as const) {
  test.serial(
    `[X38] [X12] with ${state} for NeonPanel’s name tools and pages say that it is away, everything else goes on, and all is well when the name is back`,
    async (t) => {
      await resolves('up');
      const { client, tokens } = await connect(harness);
      const tool = async (name: string, args: object = {}) => {
        const { status, body } = await callTool(harness.url, tokens.access_token, name, args);
        t.is(status, 200, JSON.stringify(body));
        return body.result;
      };
      await resolves(state);
      const atConsent = await openConsent(harness);
      t.is(atConsent.page.status, 200);
      const refused = await answerConsent(atConsent.page);
      await assertPageOffersAWay(t, refused);

      const read = await tool('listCompanies');
      t.true(read.isError);
      t.notRegex(read.content[0].text, INSIDE);
      const bill = { companyUuid: 'a'.repeat(40), type: 'bill', data: { ref_number: '7' } };
      const write = await tool('createDocuments', bill);
      t.true(write.isError);
      t.regex(write.content[0].text, /nothing was done/, 'it was never sent');
      t.notRegex(write.content[0].text, INSIDE);

      for (let i = 0; i < SILENCES; i++) await tool('listReports');
      t.truthy(harness.logs.find({ event: 'neonpanel.away' }).length);
      const asked = names.asked;
      t.true((await tool('listReports')).isError);
      t.is(names.asked, asked, 'nobody looks for it any more, for a while');
      t.is((await fetch(`${harness.url}/readyz`)).status, 200);
      const renewed = await refresh(harness.url, client, tokens.refresh_token);
      t.is(renewed.status, 200, 'our own tokens need no NeonPanel');

      names.state = 'up';
      const deadline = Date.now() + 30_000;
      while ((await tool('listCompanies')).isError && Date.now() < deadline) await sleep(100);
      t.falsy((await tool('listCompanies')).isError);
      await finish(t, refused, atConsent);
      t.deepEqual(harness.logs.find({ event: 'server_error' }), []);
    },
  );
}

test.serial(
  '[X38] [X12] with a resolver that says nothing a sign-in ends in a page, and goes on when the name is back',
  async (t) => {
    await resolves('silent');
    const atConsent = await openConsent(harness);
    const refused = await answerConsent(atConsent.page);
    await assertPageOffersAWay(t, refused);
    await resolves('up');
    await finish(t, refused, atConsent);
  },
);
