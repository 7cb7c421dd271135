import type { ExecutionContext } from 'ava';
import type { Page } from '../support/browser.ts';
import type { Harness } from '../support/harness.ts';
import { answerLogin, redeem } from '../support/oauth.ts';
import { recordsOf } from '../support/records.ts';
import { createStoreTest } from '../support/stores.ts';
import { type AtConsent, approve, isCallback, isResume, openConsent } from '../login-support.ts';
import { atOnce, heldBack, startPair } from './support.ts';

/** One consent yields at most one sign-in and one code, however often its steps are repeated, and wherever. */
const storeTest = await createStoreTest((store) => startPair(store));

const PARALLEL = 20;
const ROUNDS = 15;

storeTest(
  '[T5] [D9] of 20 parallel resumes over two instances one gives a code, the others 400',
  async (t, harness) => {
    await inRounds(harness, async (started, crowd) => {
      const callback = await signInUpTo(harness, started, isCallback);
      const resume = await stopAt(started, callback, isResume);
      const answers = await crowd((at) => ask(at, started, resume));
      await onlyOneCode(t, harness, started, answers);
    });
  },
);

storeTest(
  '[T5] [X14] of 20 parallel callbacks with one state over two instances one signs in, the others 400',
  async (t, harness) => {
    await inRounds(harness, async (started, crowd) => {
      const callback = await signInUpTo(harness, started, isCallback);
      const { length: before } = signInsAt(harness);
      const answers = await crowd((at) => ask(at, started, callback));
      const onward = answers.filter(({ status }) => status === 303);
      t.is(onward.length, 1);
      t.true(answers.every(({ status }) => status === 303 || status === 400));
      t.is(signInsAt(harness).length, before + 1, 'NeonPanel’s code was sent there once');
      const resume = locationOf(onward[0]!)!;
      t.true(isResume(resume));
      await onlyOneCode(t, harness, started, [await ask(harness.url, started, resume)]);
    });
  },
);

storeTest(
  '[T5] of 20 parallel approvals over two instances the last one counts, and all the sign-ins they lead to give one code',
  async (t, harness) => {
    await inRounds(harness, async (started, crowd) => {
      const approvals = await crowd((at) => sendApproval(at, started));
      t.deepEqual([...new Set(approvals.map(({ status }) => status))], [303]);
      const states = approvals.map(stateIn);
      t.is(new Set(states).size, PARALLEL);

      // Twenty tabs, each with the cookie that its own approval was answered with.
      const ends = await Promise.all(approvals.map((answer) => tabOf(harness, started, answer)));
      t.deepEqual(
        ends.filter(({ stoppedAt }) => !stoppedAt).map(({ status }) => status),
        Array(PARALLEL - 1).fill(400),
      );
      const [code] = ends.flatMap(({ stoppedAt }) => stoppedAt?.searchParams.get('code') ?? []);
      t.is((await redeem(harness.url, started.attempt, code!)).status, 200);
      await oneGrant(t, harness, started);
    });
  },
);

storeTest(
  '[T5] [T3] of 20 answers at once, half of them a refusal, a refusal is never taken back',
  async (t, harness) => {
    const { instances } = harness;
    await inRounds(harness, async (started, crowd) => {
      const answers = await crowd((at, i) => sendApproval(at, started, i % 4 < 2));
      const refused = answers.flatMap((answer) => locationOf(answer) ?? []).filter(isResume);
      t.is(refused.length, 1);
      const approvals = answers.filter(stateIn);
      t.true(answers.every(({ status }) => status === 303 || status === 400));
      const ends = await Promise.all(approvals.map((answer) => tabOf(harness, started, answer)));
      t.true(ends.every(({ stoppedAt, status }) => !stoppedAt && status === 400));
      const resumed = await ask(instances[1]!, started, refused[0]!);
      t.is(locationOf(resumed)?.searchParams.get('error'), 'access_denied');
      const kinds = (await recordsOf(harness))
        .filter(({ tag }) => tag === started.uid)
        .map(({ kind }) => kind);
      t.false(
        kinds.some((kind) => ['code', 'grant', 'credential'].includes(kind)),
        kinds.join(),
      );
    });
  },
);

type Crowd = (ask: (instance: string, index: number) => Promise<Response>) => Promise<Response[]>;

/** Every third time all have asked before anybody can write. */
async function inRounds(
  harness: Harness,
  play: (started: AtConsent, crowd: Crowd) => Promise<void>,
): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    const started = await openConsent(harness);
    await play(started, (ask) => {
      const crowd = () => atOnce(harness, PARALLEL, ask);
      return round % 3 === 0 ? heldBack(harness, crowd) : crowd();
    });
  }
}

/** Approves and signs in. @returns the first address on the way back that matches */
async function signInUpTo(
  harness: Harness,
  started: AtConsent,
  where: (url: URL) => boolean,
): Promise<URL> {
  const upstream = await approve(harness, started);
  started.browser.stopAt(where);
  const login = await started.browser.goto(upstream);
  const page = login.stoppedAt ? login : await answerLogin(login, harness.sandbox.users[0]!);
  return page.stoppedAt!;
}

async function stopAt({ browser }: AtConsent, from: URL, where: (url: URL) => boolean) {
  browser.stopAt(where);
  return (await browser.goto(from)).stoppedAt!;
}

/** What this browser would send, sent to a certain instance. */
const ask = (instance: string, { browser }: AtConsent, { href, pathname, search }: URL) =>
  fetch(instance + pathname + search, {
    redirect: 'manual',
    headers: { cookie: browser.cookies(href).join('; '), accept: 'text/html' },
  });

/** The form of the consent page, sent to a certain instance. */
function sendApproval(instance: string, { page, browser }: AtConsent, approves = true) {
  const { action, fields } = page.form();
  fields.set('decision', approves ? 'approve' : 'deny');
  return fetch(instance + new URL(action).pathname, {
    method: 'POST',
    body: fields,
    redirect: 'manual',
    headers: { cookie: browser.cookies(action).join('; '), accept: 'text/html' },
  });
}

/** A tab that goes on from an approval to NeonPanel's login, and back to the client or to a page of ours. */
async function tabOf(harness: Harness, started: AtConsent, approval: Response): Promise<Page> {
  const tab = started.browser.copy();
  for (const cookie of approval.headers.getSetCookie()) tab.setCookie(harness.url, cookie);
  tab.stopAt(({ href }) => href.startsWith(started.attempt.redirectUri));
  const login = await tab.goto(locationOf(approval)!);
  return login.stoppedAt || login.status !== 200
    ? login
    : answerLogin(login, harness.sandbox.users[0]!);
}

const locationOf = ({ headers }: Response): URL | null => URL.parse(headers.get('location') ?? '');

/** The state with which an approval sends the browser to NeonPanel. */
const stateIn = (answer: Response): string | null | undefined =>
  locationOf(answer)?.searchParams.get('state');

const codeIn = (answer: Response): string | null | undefined =>
  locationOf(answer)?.searchParams.get('code');

async function onlyOneCode(
  t: ExecutionContext,
  harness: Harness,
  started: AtConsent,
  answers: readonly Response[],
): Promise<void> {
  const codes = answers.flatMap((answer) => codeIn(answer) ?? []);
  t.is(codes.length, 1);
  const others = answers.filter((answer) => !codeIn(answer));
  t.true(others.every(({ status }) => status === 400));
  t.is((await redeem(harness.url, started.attempt, codes[0]!)).status, 200);
  await oneGrant(t, harness, started);
}

async function oneGrant(t: ExecutionContext, harness: Harness, { uid }: AtConsent): Promise<void> {
  const grants = (await recordsOf(harness)).filter(
    ({ tag, kind }) => tag === uid && kind === 'grant',
  );
  t.is(grants.length, 1);
}

/** Codes of NeonPanel's that we sent to its token endpoint. */
const signInsAt = ({ sandbox }: Harness) =>
  sandbox.recorder
    .requests()
    .filter(({ path, body }) => path === '/oauth2/token' && body.includes('authorization_code'));
