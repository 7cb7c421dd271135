import test from 'ava';
import { openSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHistogram } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { createLoopJudge, heldUpMs, LOOP_LIMITS } from '../http/event-loop.ts';
import { startSandbox } from '../sandbox/index.ts';
import { scrape } from './support/exposition.ts';
import { startHarness } from './support/harness.ts';
import { connect } from './support/oauth.ts';
import { freePort } from './support/ports.ts';
import { startServerProcess } from './support/server-process.ts';
import { worstInputs } from './worst-inputs.ts';

/** All requests share one thread: none may hold it up, and /readyz says when something does. Serial: one test is a hog. */

const isLong = Boolean(process.env.LONG_TESTS);
const MAX_BLOCK_MS = 50;
/** Others use the machine, too: the quickest of so many tries is the server's own time. */
const TRIES = 4;
/** Of the timer that measures. */
const RESOLUTION_MS = 10;
/** Whoever collects earlier gets the same figures again. */
const COLLECTED_AGAIN_MS = 200;

const USUAL = JSON.stringify({ current_page: 1, last_page: 1, per_page: 60, count: 0, data: [] });

test.serial(
  '[X32] the worst that may be sent is answered as it should be, and others are served meanwhile',
  async (t) => {
    t.timeout(600_000);
    const sandbox = await startSandbox({ port: 0 });
    t.teardown(() => sandbox.close());
    let answer = USUAL;
    const api = createServer((req, res) => {
      req.resume();
      res.writeHead(200, { 'content-type': 'application/json' }).end(answer);
    });
    await new Promise<void>((resolve) => api.listen(0, 'localhost', resolve));
    t.teardown(() => {
      api.close();
      api.closeAllConnections();
    });
    const adminPort = await freePort();
    const server = await startServerProcess(t, {
      stdout: openSync('/dev/null', 'w'),
      env: {
        NEONPANEL_URL: sandbox.url,
        NEONPANEL_API_URL: `http://localhost:${(api.address() as AddressInfo).port}/api/v1`,
        ADMIN_PORT: String(adminPort),
        RATE_LIMIT_FACTOR: '0',
      },
    });
    const url = server.url.replace('127.0.0.1', 'localhost');
    const connection = await connect({ url, sandbox } as never);
    const metrics = `http://localhost:${adminPort}/metrics`;
    const inputs = worstInputs(url, connection);
    t.true(inputs.length > 100);
    const tooLong: string[] = [];

    for (const input of inputs) {
      answer = input.neonpanel ?? USUAL;
      const once = async () => {
        const [given, alive] = await Promise.all([input.send(), fetch(`${url}/healthz`)]);
        t.true(
          input.statuses.includes(given.status),
          `${input.name}: ${given.status} ${given.text}`,
        );
        t.is(alive.status, 200, input.name);
      };
      if (!isLong) {
        await once();
        continue;
      }
      const blocks: number[] = [];
      for (let i = 0; i < TRIES; i++) {
        // What is shown is since the last collection, which is work as well, and of which the first measurement is lost.
        await scrape(metrics);
        await wait(COLLECTED_AGAIN_MS);
        await scrape(metrics);
        await wait(COLLECTED_AGAIN_MS);
        await once();
        await wait(3 * RESOLUTION_MS);
        const longest = (await scrape(metrics)).sum('nodejs_eventloop_lag_max_seconds') * 1_000;
        blocks.push(longest - RESOLUTION_MS);
      }
      const ms = Math.min(...blocks);
      t.log(`${ms.toFixed(1).padStart(6)} ms  ${input.name}`);
      if (ms >= MAX_BLOCK_MS)
        tooLong.push(`${input.name}: ${blocks.map(Math.round).join(', ')} ms`);
    }
    t.deepEqual(tooLong, []);
  },
);

test.serial(
  '[X32] /readyz tells that the event loop is slow, refuses when it is stuck, and recovers by itself',
  async (t) => {
    const harness = await startHarness({
      eventLoop: { windowMs: 100, slowMs: 40, slowWindows: 2, stuckMs: 80, stuckWindows: 4 },
    });
    t.teardown(() => harness.close());
    const look = async () => {
      const { status, json } = await fetch(`${harness.url}/readyz`).then(async (answer) => ({
        status: answer.status,
        json: (await answer.json()) as Record<string, string>,
      }));
      return { status, event_loop: json.event_loop!, stated: json.status };
    };
    const until = async (state: string) => {
      for (let tries = 0; tries < 100; tries++) {
        const found = await look();
        if (found.event_loop === state) return found;
        await wait(25);
      }
      return look();
    };
    t.like(await until('ok'), { status: 200, stated: 'ready' });
    const hog = setInterval(() => block(150), 1);
    const stuck = await until('stuck');
    clearInterval(hog);
    t.deepEqual(stuck, { status: 503, event_loop: 'stuck', stated: 'not ready' });
    t.like(await until('ok'), { status: 200, stated: 'ready' });
  },
);

test.serial('[X32] only what lasts counts: a moment of load takes nobody away', (t) => {
  const judged = (...p99s: number[]) => {
    const judge = createLoopJudge(LOOP_LIMITS);
    return p99s.map((ms) => (judge.add(ms), judge.state()));
  };
  t.deepEqual(judged(500, 5, 500, 99), ['ok', 'ok', 'ok', 'ok']);
  t.deepEqual(judged(101, 101, 100), ['ok', 'slow', 'ok']);
  t.deepEqual(judged(...Array<number>(5).fill(20_000), 999, 20_000).slice(4), [
    'slow',
    'slow',
    'slow',
  ]);
  t.deepEqual(judged(...Array<number>(6).fill(1_001), 5).slice(5), ['stuck', 'ok']);
  t.deepEqual(judged(...Array<number>(100).fill(900)).slice(-1), ['slow'], 'load alone never does');
});

test.serial('[X32] a few long blocks hold requests up as many short ones do', (t) => {
  /** Of windows of 5 s each, with so many blocks, and nothing to do in between. */
  const judged = (blocks: number, ms: number) => {
    const delays = createHistogram();
    for (let i = 0; i < blocks; i++) delays.record(ms * 1e6);
    for (let left = 5_000 - blocks * ms; left > 0; left -= 10) delays.record(10e6);
    const judge = createLoopJudge(LOOP_LIMITS);
    for (let i = 0; i < LOOP_LIMITS.stuckWindows; i++) judge.add(heldUpMs(delays) - 10);
    return judge.state();
  };
  t.is(judged(0, 0), 'ok');
  t.is(judged(1, 500), 'ok', 'a tenth');
  t.is(judged(1, 1_500), 'slow');
  t.is(judged(2, 1_500), 'slow');
  t.is(judged(1, 3_000), 'stuck');
  t.is(judged(2, 2_000), 'stuck');
  t.is(judged(50, 99), 'ok', 'full, but of short work');
  t.is(judged(45, 111), 'slow');
});

function block(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}
