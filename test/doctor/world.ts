import type { ExecutionContext } from 'ava';
import type { Terminal } from '../../cli/terminal.ts';
import { diagnose, type DoctorOptions, type Report } from '../../cli/doctor/index.ts';
import { signInHeadless } from '../../cli/doctor/sign-in.ts';
import { type Harness, startHarness } from '../support/harness.ts';
import { freePort } from '../support/ports.ts';
import type { Mistake } from './mistake.ts';
import { type Proxy, startProxy } from './proxy.ts';

/** A real server, behind a proxy at its public address. */
export interface World {
  readonly harness: Harness;
  readonly proxy: Proxy;
  diagnose(options?: DoctorOptions & { login?: boolean }): Promise<Report>;
  close(): Promise<void>;
}

export async function startWorld(): Promise<World> {
  const proxy = await startProxy();
  const port = await freePort();
  const harness = await startHarness({
    logLevel: 'error',
    env: { PUBLIC_URL: proxy.url, PORT: String(port) },
  });
  proxy.forwardTo(port);
  return {
    harness,
    proxy,
    diagnose: ({ login, ...options } = {}) =>
      diagnose(proxy.url, {
        ...(login && { signIn: signInHeadless(harness.sandbox.users[0]!) }),
        ...options,
      }),
    async close() {
      await proxy.close();
      await harness.close();
    },
  };
}

export const idsOf = (report: Report, ...outcomes: string[]): string[] =>
  report.steps.filter(({ outcome }) => outcomes.includes(outcome)).map(({ id }) => id);

/** The mistake is named by its step, with its cause and a fix, and nothing else is blamed. */
export function assertNamed(
  t: ExecutionContext,
  report: Report,
  mistake: Mistake,
  alwaysSkipped: readonly string[],
): void {
  const step = report.steps.find(({ id }) => id === mistake.step)!;
  t.is(step.outcome, mistake.isWarning ? 'warn' : 'fail', step.cause);
  t.regex(step.cause!, mistake.cause);
  t.true(step.fix!.length > 10);
  const blamed = idsOf(report, 'fail', 'warn');
  t.deepEqual(blamed.toSorted(), [mistake.step, ...(mistake.also ?? [])].toSorted());
  const skipped = idsOf(report, 'skip');
  if (mistake.skips === 'rest') {
    t.true(skipped.length > 20);
  } else {
    const expected = new Set([...alwaysSkipped, ...(mistake.skips ?? [])]);
    t.deepEqual(skipped.toSorted(), [...expected].toSorted());
  }
  const usual = skipped.includes('clean-up') ? 0 : 1;
  t.is(report.leftBehind.length, mistake.leaves ?? usual);
  t.is(report.ok, !report.steps.some(({ outcome }) => outcome === 'fail'));
}

/** Where nobody can be asked. */
export function createTerminal(): Terminal & { printed(): string; complained(): string } {
  let out = '';
  let err = '';
  return {
    env: {},
    isInteractive: false,
    out: (text) => void (out += text),
    err: (text) => void (err += text),
    confirm: async () => false,
    secret: async () => '',
    printed: () => out,
    complained: () => err,
  };
}
