import { createHttp } from './http.ts';
import { takeStep } from './runner.ts';
import type { SignIn } from './sign-in.ts';
import type { Examination, Leftover, Step, StepResult } from './step.ts';
import { STEPS } from './steps/index.ts';
import { understand } from './target.ts';

/** What doctor found; the same for people (print.ts) and for machines. */
export interface Report {
  /** The address of the MCP endpoint. */
  readonly url: string;
  /** How what was pasted was understood. */
  readonly understood: string;
  /** It is a server of this project, as far as can be seen from outside. */
  readonly ours: boolean;
  /** Nothing failed; there may be warnings. */
  readonly ok: boolean;
  readonly steps: readonly StepResult[];
  /** Clients that stay registered there. */
  readonly leftBehind: readonly Pick<Leftover, 'clientId' | 'name'>[];
  readonly ms: number;
}

export interface DoctorOptions {
  /** How to get through the login; without it, nothing behind the login is looked at. */
  readonly signIn?: SignIn | undefined;
  /** Register each shape of client by itself, although that leaves more clients behind. */
  readonly everyShape?: boolean;
  /** Initial access token, for servers where registration takes one. */
  readonly initialAccessToken?: string | undefined;
  /** For one request. */
  readonly timeoutMs?: number;
  /** For everything, the time that a person takes to sign in aside. */
  readonly totalTimeoutMs?: number;
  /** PEM of an authority that is trusted besides the usual ones. */
  readonly ca?: string | undefined;
  /** Called before and after each step. */
  readonly onStep?: (step: Pick<Step, 'id' | 'title'>) => void;
  readonly onResult?: (result: StepResult) => void;
}

const REQUEST_TIMEOUT_MS = 6_000;
const TOTAL_TIMEOUT_MS = 27_000;

/**
 * Speaks to a server from outside, like a client, and finds out what is wrong with it. It reads nothing of this
 * project's configuration or store, and leaves nothing behind but what `leftBehind` names.
 *
 * @param pasted an origin, an MCP address, or any address of that server
 * @throws NotAnAddress
 */
export async function diagnose(pasted: string, options: DoctorOptions = {}): Promise<Report> {
  const target = understand(pasted);
  const started = performance.now();
  const clock = createDeadline(options.totalTimeoutMs ?? TOTAL_TIMEOUT_MS);
  const timeoutMs = options.timeoutMs ?? REQUEST_TIMEOUT_MS;
  const { ca, signIn, initialAccessToken } = options;
  const http = createHttp({ timeoutMs, signal: clock.signal, ca });
  const x: Examination = {
    target,
    http,
    facts: {},
    leftBehind: [],
    wishes: { signIn, everyShape: options.everyShape ?? false, initialAccessToken, timeoutMs, ca },
    asidePeople: clock.pauseFor,
  };
  const steps: StepResult[] = [];
  try {
    for (const step of STEPS) {
      options.onStep?.(step);
      const result = await takeStep(step, x, clock.signal.aborted);
      steps.push(result);
      options.onResult?.(result);
    }
  } finally {
    clock.stop();
    await http.close();
  }
  return {
    url: target.mcpUrl,
    understood: target.understood,
    ours: x.facts.ours ?? false,
    ok: steps.every(({ outcome }) => outcome !== 'fail'),
    steps,
    leftBehind: x.leftBehind
      .filter(({ deleted }) => !deleted)
      .map(({ clientId, name }) => ({ clientId, name })),
    ms: Math.round(performance.now() - started),
  };
}

/** A time limit that stands still while a person is asked. */
function createDeadline(totalMs: number) {
  const controller = new AbortController();
  let leftMs = totalMs;
  let since = performance.now();
  let timer = setTimeout(() => controller.abort(), leftMs);
  return {
    signal: controller.signal,
    stop: () => clearTimeout(timer),
    async pauseFor<T>(wait: () => Promise<T>): Promise<T> {
      clearTimeout(timer);
      leftMs -= performance.now() - since;
      try {
        return await wait();
      } finally {
        since = performance.now();
        timer = setTimeout(() => controller.abort(), Math.max(leftMs, 0));
      }
    },
  };
}
