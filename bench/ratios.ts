import type { Figures } from './figures.ts';
import type { Verdict } from './row.ts';

/** How many times as many requests a second. */
export const faster = (ours: Figures, peer: Figures): number =>
  ours.perSecond.median / peer.perSecond.median;

/** How many times as many requests for the same CPU; by requests a second where there is no /proc. */
export const cheaper = (ours: Figures, peer: Figures): number =>
  ours.cpu && peer.cpu && ours.cpu.median > 0
    ? peer.cpu.median / ours.cpu.median
    : faster(ours, peer);

/** Both as verdicts: how much more than the peer, by the clock and by CPU. */
export function byClockAndCpu(
  goal: string,
  [ours, peer]: readonly [Figures, Figures],
  bounds: Pick<Verdict, 'unit' | 'must' | 'aim'>,
): Verdict[] {
  const scale = bounds.unit === '%' ? 100 : 1;
  return [
    { goal, value: scale * faster(ours, peer), more: true, ...bounds },
    { goal: 'the same by CPU', value: scale * cheaper(ours, peer), more: true, ...bounds },
  ];
}
