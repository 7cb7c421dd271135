import { startHarness, type HarnessOptions } from '../support/harness.ts';
import { connect } from '../support/oauth.ts';
import { startStandIn, type StandInOptions } from './stand-in.ts';

export type World = Awaited<ReturnType<typeof startWorld>>;

/** Our server with the stranger's NeonPanel behind it, both on one clock that runs and can be moved forward. */
export async function startWorld(
  options: StandInOptions = {},
  harnessOptions: Omit<HarnessOptions, 'neonpanelUrl' | 'now'> = {},
) {
  let ahead = 0;
  const now = () => Date.now() + ahead;
  const standIn = await startStandIn({ now, ...options });
  const harness = await startHarness({ ...harnessOptions, neonpanelUrl: standIn.url, now }).catch(
    async (error: unknown) => {
      await standIn.close();
      throw error;
    },
  );
  return {
    ...harness,
    harness,
    standIn,
    now,
    advance: (seconds: number) => void (ahead += seconds * 1000),
    connect: (more: Parameters<typeof connect>[1] = {}) =>
      connect(harness, { user: standIn.user, ...more }),
    async close() {
      await harness.close();
      await standIn.close();
    },
  };
}
