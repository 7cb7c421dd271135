import type { Sandbox } from '../../sandbox/index.ts';
import { createBrowser, type Page } from '../support/browser.ts';
import {
  type Answer,
  answerConsent,
  answerLogin,
  type Attempt,
  authorizationRequest,
  callTool,
  clientParameters,
  postForm,
  redeem,
  refresh,
  register,
  type TestClient,
  type Tokens,
} from '../support/oauth.ts';

/**
 * The whole way of one connection, request by request: each step is one request to our server that can be sent, sent
 * again, and judged. What lies between two steps (NeonPanel's login page) happens with the first of them.
 */
export const STEPS = [
  'register',
  'authorize',
  'consent page',
  'approve',
  'callback',
  'resume',
  'redeem the code',
  'call a tool',
  'refresh',
  'call a tool again',
  'revoke',
] as const;
export type StepName = (typeof STEPS)[number];

/** Who reads the answer. */
export type Reader = 'program' | 'mcp client' | 'person';

export interface Sent extends Answer<any> {
  /** For a person. */
  readonly page?: Page;
  /** How long it took. */
  readonly ms: number;
}

export interface Flow {
  /** What the client holds by now. */
  readonly held: Held;
  reader(step: StepName): Reader;
  /** Sends the request of this step, as often as wanted. */
  send(step: StepName): Promise<Sent>;
  /** Goes on from an answer. @throws Error if it is not the normal one */
  take(step: StepName, answer: Sent): Promise<void>;
  /**
   * What the reader of a 503 does: reload, or follow the page's link and go on from there; programs send the same again.
   * @returns the answer to this very step
   */
  again(step: StepName, refused: Sent): Promise<Sent>;
  /** Repeats what was refused, if it was, and takes all steps that come after. @throws Error at the first that fails */
  goOn(step: StepName, answer: Sent): Promise<void>;
  /** The steps from one to another, both included, all as they should be. */
  run(from?: StepName, to?: StepName): Promise<void>;
}

export interface Held {
  client?: TestClient;
  attempt?: Attempt;
  /** The page or the redirect that the person's browser is at. */
  page?: Page;
  code?: string;
  first?: Tokens;
  second?: Tokens;
}

interface Step {
  readonly reader: Reader;
  send(): Promise<Page | Answer<any>>;
  /** @returns whether this is the normal answer */
  accept(answer: Sent): boolean | Promise<boolean>;
}

/** @param base where the client and the browser go */
export function createFlow(at: { base: string; sandbox: Sandbox }): Flow {
  const { base, sandbox } = at;
  const held: Held = {};
  const browser = createBrowser();
  // One request at a time: each redirect is a step of its own.
  browser.stopAt(() => true);

  /** Where the last redirect leads, as the browser follows it. */
  const follow = (): Promise<Page> => browser.goto(held.page!.stoppedAt!, { from: held.page!.url });
  const arrive = (page: Page | undefined, where: (url: URL) => boolean): boolean => {
    held.page = page!;
    return page?.stoppedAt !== undefined && where(page.stoppedAt);
  };

  let redirect: Page;
  let consent: Page;
  const steps: Record<StepName, Step> = {
    register: {
      reader: 'program',
      send: () => register(base),
      accept: ({ status, body }) => {
        held.client = body;
        return status === 201;
      },
    },
    authorize: {
      reader: 'person',
      send: () => {
        held.attempt ??= authorizationRequest(base, held.client!);
        return browser.goto(held.attempt.url);
      },
      accept: ({ page }) => {
        redirect = page!;
        return arrive(page, ({ pathname }) => pathname.startsWith('/interaction/'));
      },
    },
    'consent page': {
      reader: 'person',
      send: () => browser.goto(redirect.stoppedAt!),
      accept: ({ status, page }) => {
        consent = page!;
        return status === 200 && page!.dom.querySelector('form') !== null;
      },
    },
    approve: {
      reader: 'person',
      send: () => answerConsent(consent),
      async accept({ page }) {
        if (!arrive(page, ({ origin }) => origin === sandbox.url)) return false;
        held.page = await signInAtNeonpanel();
        return true;
      },
    },
    callback: {
      reader: 'person',
      send: follow,
      accept: ({ page }) =>
        arrive(page, ({ pathname }) => /^\/oauth2\/authorize\/[\w-]{16,}$/.test(pathname)),
    },
    resume: {
      reader: 'person',
      send: follow,
      accept: ({ page }) => {
        const answer = page!.stoppedAt;
        held.code = answer?.searchParams.get('code') ?? '';
        const { redirectUri, state } = held.attempt!;
        const isOurs = answer?.searchParams.get('state') === state;
        return isOurs && held.code !== '' && answer.href.startsWith(redirectUri);
      },
    },
    'redeem the code': {
      reader: 'program',
      send: () => redeem(base, held.attempt!, held.code!),
      accept: ({ status, body }) => {
        held.first = body;
        return status === 200 && typeof body.refresh_token === 'string';
      },
    },
    'call a tool': {
      reader: 'mcp client',
      send: () => callTool(base, held.first!.access_token, 'listCompanies'),
      accept: listsCompanies,
    },
    refresh: {
      reader: 'program',
      send: () => refresh(base, held.client!, held.first!.refresh_token),
      accept: ({ status, body }) => {
        held.second = body;
        return status === 200 && body.refresh_token !== held.first!.refresh_token;
      },
    },
    'call a tool again': {
      reader: 'mcp client',
      send: () => callTool(base, held.second!.access_token, 'listCompanies'),
      accept: listsCompanies,
    },
    revoke: {
      reader: 'program',
      send: () =>
        postForm(`${base}/oauth2/revoke`, {
          token: held.second!.refresh_token,
          ...clientParameters(held.client!),
        }),
      accept: ({ status }) => status === 200,
    },
  };

  /** From its login page to its redirect back to us. */
  async function signInAtNeonpanel(): Promise<Page> {
    let page = await follow();
    for (let hops = 0; hops < 10; hops++) {
      if (page.stoppedAt?.href.startsWith(base)) return page;
      if (page.stoppedAt) page = await browser.goto(page.stoppedAt, { from: page.url });
      else page = await answerLogin(page, sandbox.users[0]!);
    }
    throw new Error(`NeonPanel's login leads nowhere: ${page.url}`);
  }

  const flow: Flow = {
    held,
    reader: (name) => steps[name].reader,
    async send(name) {
      const started = performance.now();
      const answer = await steps[name].send();
      const ms = performance.now() - started;
      if (!('dom' in answer)) return { ...answer, ms };
      const { status, headers, text } = answer;
      return { status, headers, body: text, page: answer, ms };
    },
    async take(name, answer) {
      if (await steps[name].accept(answer)) return;
      throw new Error(`${name}: ${answer.status} ${words(answer)}`);
    },
    async again(name, refused) {
      const isLed = refused.page?.dom.querySelector('a.button') != null;
      if (!isLed) return flow.send(name);
      consent = await refused.page.follow('a.button');
      if (consent.status !== 200) throw new Error(`${consent.url}: ${consent.status}`);
      if (name !== 'approve') await flow.run('approve', before(name));
      return flow.send(name);
    },
    async goOn(name, answer) {
      await flow.take(name, isRefused(answer) ? await flow.again(name, answer) : answer);
      const next = after(name);
      if (next) await flow.run(next);
    },
    async run(from = STEPS[0], to = STEPS.at(-1)!) {
      for (const name of STEPS.slice(STEPS.indexOf(from), STEPS.indexOf(to) + 1)) {
        await flow.take(name, await flow.send(name));
      }
    },
  };
  return flow;
}

/** The step before this one. */
export const before = (name: StepName): StepName => STEPS[STEPS.indexOf(name) - 1]!;
/** The step after this one, if it is not the last. */
export const after = (name: StepName): StepName | undefined => STEPS[STEPS.indexOf(name) + 1];

/** Goes up to a step without sending it. */
export async function upTo(step: StepName, flow: Flow): Promise<Flow> {
  if (step !== STEPS[0]) await flow.run(STEPS[0], before(step));
  return flow;
}

/** Connections of which each is about to take another step. */
export async function oneAtEachStep(create: () => Flow): Promise<Map<StepName, Flow>> {
  const flows = new Map<StepName, Flow>();
  for (const step of STEPS) flows.set(step, await upTo(step, create()));
  return flows;
}

/**
 * Whether the request was not carried out and is to be sent again: 503, or for a tool call, once the transport has taken
 * over, a result that says so.
 */
export const isRefused = ({ status, body }: Answer<any>): boolean =>
  status === 503 ||
  (body.result?.isError === true &&
    /temporarily unavailable[^]*repeat the call/.test(body.result.content[0].text));

/** Of an answer, for a message. */
export const words = ({ body }: Answer<any>): string =>
  (typeof body === 'string' ? body.replace(/^[^]*<main>/, '') : JSON.stringify(body))
    .replace(/\s+/g, ' ')
    .slice(0, 600);

const listsCompanies = ({ status, body }: Answer<any>): boolean =>
  status === 200 && body.result?.structuredContent?.data?.length === 3;
