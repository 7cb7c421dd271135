import type { Context } from 'koa';
import { PATHS } from '../paths.ts';

/** What somebody wanted who now stands at the door of the page of connected apps: nothing of it was done. */
const WANTED = ['sign-in', 'disconnect'] as const;
type Wanted = (typeof WANTED)[number];

/** The way there after a form that came too late. Anybody may make such an address; it says no more than that. */
export const doorAfter = (wanted: Wanted): string => `${PATHS.account}?after=${wanted}`;

export function wantedBefore(ctx: Context): Wanted | undefined {
  const after = new URLSearchParams(ctx.querystring).get('after');
  return WANTED.find((each) => each === after);
}
