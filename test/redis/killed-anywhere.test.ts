import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { Agent, setGlobalDispatcher } from 'undici';
import { startSandbox } from '../../sandbox/index.ts';
import { startBalancer } from '../journeys/balancer.ts';
import { callTool, refresh } from '../support/oauth.ts';
import { startRedis } from '../support/redis.ts';
import { type ServerProcess, startServerProcess } from '../support/server-process.ts';
import { createTcpShim } from '../support/tcp-shim.ts';
import { after, createFlow, type Flow, type StepName, STEPS, words } from './flow.ts';

/**
 * A server process is killed (SIGKILL) while many clients have a request under way in it. Their connections have no
 * record in common, so each of them is cut off at a point of its own: one kill is as many points as there are clients.
 */

const LONG = process.env.LONG_TESTS !== undefined;
const KILLS = LONG ? 1_000 : 6;
/** Servers that are killed again and again, side by side, each with a Redis and clients of its own. */
const LANES = 2;
const CLIENTS = LONG ? 6 : 20;
/** So long nothing that Redis says is heard, before the kill. */
const UNHEARD_MS = 30;
/** Sign-ins side by side, begun anew as soon as they are through. */
const SIGN_INS = 2;

// A machine that starts several servers at once may take longer than the usual 10 s to open a connection.
setGlobalDispatcher(new Agent({ connect: { timeout: 60_000 } }));

interface Lane {
  start(): Promise<ServerProcess>;
  kill(server: ServerProcess): Promise<void>;
  flow(): Flow;
  /** Number of the newest refresh token, as Redis has it. */
  generation(grantId: string): Promise<number>;
}

async function openLane(t: ExecutionContext): Promise<Lane> {
  const [redis, sandbox, balancer] = await Promise.all([
    startRedis({ persist: true }),
    startSandbox({ port: 0 }),
    startBalancer(),
  ]);
  for (const close of [redis.stop, sandbox.close, balancer.close]) t.teardown(close);
  const shim = await createTcpShim({ port: redis.port });
  t.teardown(shim.close);
  let kills = 0;
  const env = {
    REDIS_URL: `redis://127.0.0.1:${shim.port}`,
    MASTER_KEYS: randomBytes(32).toString('base64url'),
    PUBLIC_URL: balancer.url,
    NEONPANEL_URL: sandbox.url,
    RATE_LIMIT_FACTOR: '0',
    LOG_LEVEL: 'warn',
  };
  return {
    async start() {
      const server = await startServerProcess(t, { stdout: 'pipe', env });
      server.child.stdout!.resume();
      balancer.targets = [server.url];
      return server;
    },
    async kill({ child }) {
      // Every other time behind what Redis does last, which otherwise is over in no time.
      if (++kills % 2 === 0) {
        shim.blackhole('down');
        await sleep(UNHEARD_MS);
      }
      child.kill('SIGKILL');
      shim.pass();
    },
    flow: () => createFlow({ base: balancer.url, sandbox }),
    async generation(grantId) {
      const reply = await redis.command('GET', `neonpanel-mcp:{${grantId}}:grant`);
      return JSON.parse(reply.slice(reply.indexOf('{'))).generation;
    },
  };
}

/** Of requests that were under way at a kill. */
interface Seen {
  /** The store had it, the client never heard of it. */
  answersLost: number;
  requestsLost: number;
  signInsCut: Set<StepName>;
  /** Cut off behind the one moment that happens once: the person connects again. */
  signInsSpent: number;
}

interface Life {
  over: boolean;
}

test('[X26] [D8] redis: a server that is killed at any moment leaves every client with a refresh token that works, and every sign-in with a way on', async (t) => {
  const seen: Seen = { answersLost: 0, requestsLost: 0, signInsCut: new Set(), signInsSpent: 0 };
  let kills = 0;
  const runLane = async () => {
    const lane = await openLane(t);
    let server = await lane.start();
    const clients = await inTurn(CLIENTS, async () => {
      const flow = lane.flow();
      await flow.run('register', 'redeem the code');
      return clientOf(flow);
    });
    const signIns = Array.from({ length: SIGN_INS }, () => createSignIn(lane.flow));
    // A share of its own: of common ones a lane that is slow to open might get none, and its clients would have nothing to show.
    for (let own = 0; own < KILLS / LANES; own++) {
      const kill = ++kills;
      const life = { over: false };
      const work = [
        ...clients.map((client) => keepRefreshing(client, server.url, life)),
        ...signIns.map((signIn) => signIn.keepOn(life)),
      ];
      // Else, on a slow machine, some would be cut off in their first refresh each time.
      await Promise.race([Promise.all(work), untilAllHaveRotated(clients)]);
      await sleep(50 + Math.random() * 250);
      life.over = true;
      await lane.kill(server);
      await Promise.all([server.ended, ...work]);
      server = await lane.start();
      for (const client of clients) await assertGoesOn(t, lane, server, client, seen, kill);
      for (const signIn of signIns) await signIn.resume(t, seen);
    }
    t.true(clients.every(({ rotations }) => rotations > 0));
  };
  const points = () => seen.answersLost + seen.requestsLost;
  try {
    await Promise.all(Array.from({ length: LANES }, runLane));
  } finally {
    t.log(
      `${kills} kills, ${points()} refreshes cut off, ${seen.answersLost} of them behind the commit; ` +
        `sign-ins cut off at: ${[...seen.signInsCut].join(', ')}; ${seen.signInsSpent} begun anew`,
    );
  }
  t.true(points() >= 100, `${points()} points`);
  t.true(seen.answersLost > 0 && seen.requestsLost > 0);
  t.true(seen.signInsCut.size > 0);
});

interface Client {
  readonly registered: NonNullable<Flow['held']['client']>;
  /** The last one that was received. */
  token: string;
  rotations: number;
}

const clientOf = ({ held }: Flow): Client => ({
  registered: held.client!,
  token: held.first!.refresh_token,
  rotations: 0,
});

async function untilAllHaveRotated(clients: readonly Client[]): Promise<void> {
  while (!clients.every(({ rotations }) => rotations > 0)) await sleep(10);
}

/** Until the server is gone, with a request under way. @throws Error if it refuses the token */
async function keepRefreshing(client: Client, url: string, life: Life): Promise<void> {
  for (;;) {
    const answer = await refresh(url, client.registered, client.token).catch((error: Error) => {
      if (!life.over) throw new Error(`refresh: ${String(error.cause)}`, { cause: error });
    });
    if (!answer) return;
    if (answer.status !== 200) throw new Error(`${answer.status} ${words(answer)}`);
    client.token = answer.body.refresh_token;
    client.rotations++;
  }
}

async function assertGoesOn(
  t: ExecutionContext,
  lane: Lane,
  { url }: ServerProcess,
  client: Client,
  seen: Seen,
  kill: number,
): Promise<void> {
  const [grantId, held] = client.token.split('.') as [string, string];
  const ahead = (await lane.generation(grantId)) - Number(held);
  t.true(ahead === 0 || ahead === 1, `${ahead} generations ahead of the client`);
  if (ahead === 1) seen.answersLost++;
  else seen.requestsLost++;

  const { status, body } = await refresh(url, client.registered, client.token);
  t.is(status, 200, `after kill ${kill}: ${JSON.stringify(body)}`);
  client.token = body.refresh_token;
  t.is((await callTool(url, body.access_token, 'listCompanies')).status, 200);
}

/** One sign-in after the other, from registration to the first tokens. */
function createSignIn(open: () => Flow) {
  let flow = open();
  let step: StepName = STEPS[0];
  const next = (): void => {
    if (step === 'redeem the code') flow = open();
    step = step === 'redeem the code' ? STEPS[0] : after(step)!;
  };
  return {
    async keepOn(life: Life): Promise<void> {
      for (;;) {
        const answer = await flow.send(step).catch((error: Error) => {
          if (!life.over) throw error;
        });
        if (!answer) return;
        await flow.take(step, answer);
        next();
      }
    },
    async resume(t: ExecutionContext, seen: Seen): Promise<void> {
      seen.signInsCut.add(step);
      const answer = await flow.send(step);
      if (answer.status === 400 && HAPPENS_ONCE.includes(step)) {
        t.regex(words(answer), /connect again|"invalid_grant"/);
        seen.signInsSpent++;
        flow = open();
        step = STEPS[0];
        await flow.run('register', 'redeem the code');
        flow = open();
        return;
      }
      await t.notThrowsAsync(flow.take(step, answer), `cut off at: ${step}`);
      next();
    },
  };
}

/** What may have been carried out although nobody heard of it, and is not told a second time. */
const HAPPENS_ONCE: readonly StepName[] = ['callback', 'resume', 'redeem the code'];

async function inTurn<T>(count: number, make: () => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  while (made.length < count) made.push(await make());
  return made;
}
