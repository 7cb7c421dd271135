import type { Figures } from './figures.ts';

/** How many times as many requests a second. */
export const faster = (ours: Figures, peer: Figures): number =>
  ours.perSecond.median / peer.perSecond.median;

/** How many times as many requests for the same CPU; by requests a second where there is no /proc. */
export const cheaper = (ours: Figures, peer: Figures): number =>
  ours.cpu && peer.cpu && ours.cpu.median > 0
    ? peer.cpu.median / ours.cpu.median
    : faster(ours, peer);
