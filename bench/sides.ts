import type { Authority, Flow, Shot } from './generator/protocol.ts';
import type { Side } from './measure.ts';
import type { Plan } from './plan.ts';
import type { Running } from './process.ts';
import type { Stage } from './stage.ts';
import { authorityAt, USER } from './world.ts';

export interface Requests {
  readonly shots: readonly Shot[];
  /** Part of every good answer. */
  readonly expect: string;
}

/** A side that answers the same request again and again, from as many connections as the plan says. */
export const repeating = (
  stage: Stage,
  plan: Plan,
  name: string,
  server: Running,
  { shots, expect }: Requests,
): Side => ({
  name,
  run: (seconds) =>
    stage.sample([server], () =>
      stage.world.generator.load({
        kind: 'repeat',
        origin: server.origin,
        shots,
        expect,
        connections: plan.connections,
        ...amountOf(plan, seconds),
      }),
    ),
});

/** How long, or how much. */
export const amountOf = ({ requestsPerRound: amount }: Plan, seconds: number) =>
  amount === undefined ? { seconds } : { amount };

/** A side that takes clients through a flow. */
export const flowing = (
  stage: Stage,
  plan: Plan,
  name: string,
  server: Running,
  { flow, kind }: { flow: Flow['flow']; kind: Authority['kind'] },
): Side => ({
  name,
  run: (seconds) =>
    stage.sample([server], () =>
      stage.world.generator.load({
        kind: 'flow',
        flow,
        seconds,
        clients: plan.flows,
        authority: authorityAt(kind, server),
      }),
    ),
});

/** Our server and authorization servers of others, taking clients through the same flow. */
export async function flowSides(
  stage: Stage,
  plan: Plan,
  flow: Flow['flow'],
  peers: readonly Exclude<Authority['kind'], 'ours'>[],
): Promise<Side[]> {
  const env = { USER_EMAIL: USER.email, USER_PASSWORD: USER.password };
  const sides = [flowing(stage, plan, 'ours', stage.ours, { flow, kind: 'ours' })];
  for (const kind of peers) {
    // One for each flow: oidc-provider's memory holds 1,000 records, and new connections would push clients out of it that refresh.
    const server = await stage.world.peer(kind, env, `${kind} ${flow}`);
    sides.push(flowing(stage, plan, PEER_NAMES[kind] ?? kind, server, { flow, kind }));
  }
  return sides;
}

const PEER_NAMES: Partial<Record<Authority['kind'], string>> = {
  rs256: 'one RS256 signature',
  'oidc-provider': 'oidc-provider, in memory',
};
