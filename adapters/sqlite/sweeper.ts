const SWEEP_EVERY_MS = 30_000;
/** Records per sweep: small enough to be no pause. While there is more, the next follows after a breath. */
export const SWEEP_BATCH = 200;
const SWEEP_AGAIN_MS = 100;

/**
 * Deletes what has expired. It is invisible already, so this is housekeeping: it gives way to everybody and never
 * keeps the process alive.
 *
 * @param sweep deletes one batch; true if there may be more
 */
export function createSweeper(sweep: () => boolean): { stop(): void } {
  let timer: NodeJS.Timeout;
  const plan = (ms: number): void => {
    timer = setTimeout(run, ms).unref();
  };
  function run(): void {
    let more = false;
    try {
      more = sweep();
    } catch {
      // Locked, full or failing: requests report that; the next sweep tries again.
    }
    plan(more ? SWEEP_AGAIN_MS : SWEEP_EVERY_MS);
  }
  plan(SWEEP_EVERY_MS);
  return { stop: () => clearTimeout(timer) };
}
