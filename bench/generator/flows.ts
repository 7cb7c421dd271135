import { type Connection, createVisitor, type Visitor } from './authorities.ts';
import type { Adopt, Authority, Connect, Flow, Load } from './protocol.ts';
import { quantiles } from './quantiles.ts';

/**
 * Flows of several requests that belong together. Whoever refreshes keeps on with the chain that an earlier round left,
 * so connections live in the generator as long as it does.
 */
const chains = new Map<string, Chain[]>();

interface Chain {
  readonly visitor: Visitor;
  connection: Connection;
}

export async function runFlow({ flow, authority, clients, seconds }: Flow): Promise<Load> {
  const steps = await stepsOf(flow, authority, clients);
  const latencies: number[] = [];
  const began = performance.now();
  const end = began + seconds * 1000;
  await Promise.all(
    steps.map(async (step) => {
      do {
        const start = performance.now();
        await step();
        latencies.push(performance.now() - start);
      } while (performance.now() < end);
    }),
  );
  const took = (performance.now() - began) / 1000;
  return { requests: latencies.length, seconds: took, ...quantiles(latencies) };
}

/** One step for each client; what has to be there before is made here, outside of the measurement. */
async function stepsOf(
  flow: Flow['flow'],
  authority: Authority,
  clients: number,
): Promise<(() => Promise<unknown>)[]> {
  if (flow === 'refresh') {
    const all = chains.get(authority.origin) ?? (await startChains(authority, clients));
    return Array.from({ length: Math.min(clients, all.length) }, (_, first) => {
      let next = first;
      return async () => {
        await prolong(all[next]!);
        next = next + clients < all.length ? next + clients : first;
      };
    });
  }
  const visitors = await Promise.all(
    Array.from({ length: clients }, () => createVisitor(authority)),
  );
  return visitors.map((visitor) => () => visitor.connect());
}

async function prolong(chain: Chain): Promise<void> {
  chain.connection = await chain.visitor.refresh(chain.connection);
}

async function startChains(authority: Authority, clients: number): Promise<Chain[]> {
  const made = await Promise.all(
    Array.from({ length: clients }, async () => {
      const visitor = await createVisitor(authority);
      return { visitor, connection: await visitor.connect() };
    }),
  );
  chains.set(authority.origin, made);
  return made;
}

/** @returns the access tokens */
export async function adopt({ authority, connections }: Adopt): Promise<string[]> {
  const visitor = await createVisitor(authority);
  const adopted = connections.map((seeded) => ({
    visitor,
    connection: { ...seeded, accessToken: '' },
  }));
  const waiting = [...adopted];
  const work = async () => {
    for (let chain = waiting.pop(); chain; chain = waiting.pop()) await prolong(chain);
  };
  await Promise.all(Array.from({ length: CONNECTING_AT_A_TIME }, work));
  chains.set(authority.origin, adopted);
  return adopted.map(({ connection }) => connection.accessToken);
}

const CONNECTING_AT_A_TIME = 8;

/** @returns the access tokens */
export async function connectAll({ authority, count }: Connect): Promise<string[]> {
  const tokens: string[] = [];
  let started = 0;
  const work = async () => {
    const visitor = await createVisitor(authority);
    while (started++ < count) tokens.push((await visitor.connect()).accessToken);
  };
  await Promise.all(Array.from({ length: Math.min(count, CONNECTING_AT_A_TIME) }, work));
  return tokens;
}
