import { createBrowser } from '../support/browser.ts';
import type { Harness } from '../support/harness.ts';
import { answerConsent, answerLogin } from '../support/oauth.ts';

/** Somebody in front of a browser, as the suites expect: opens the URL they print, and answers until the client has it. */
export const createPerson = (harness: Harness) =>
  async function signIn(authorizationUrl: string): Promise<void> {
    const redirectUri = new URL(authorizationUrl).searchParams.get('redirect_uri')!;
    const browser = createBrowser();
    browser.stopAt((url) => url.href.startsWith(redirectUri));
    const login = await answerConsent(await browser.goto(authorizationUrl));
    const { stoppedAt, url, status } = await answerLogin(login, harness.sandbox.users[0]!);
    if (!stoppedAt) throw new Error(`sign-in ended at ${url} with ${status}`);
    await fetch(stoppedAt).then((answer) => answer.text());
  };
