import type { Context } from 'koa';
import { Refusal } from '../errors.ts';
import { OAUTH_BODY_LIMIT_BYTES, readText } from '../http/body.ts';

/** @throws Refusal 415 for what no form of ours sends */
export async function readForm(ctx: Context): Promise<URLSearchParams> {
  if (!ctx.is('application/x-www-form-urlencoded')) {
    throw new Refusal('invalid_request', 415, 'This address takes the form of its own page.');
  }
  return new URLSearchParams(await readText(ctx, OAUTH_BODY_LIMIT_BYTES));
}

/** 303: the browser must not send the form, or a code, on to where it is sent. */
export function redirect(ctx: Context, to: string): void {
  ctx.status = 303;
  ctx.set('Cache-Control', 'no-store');
  ctx.redirect(to);
  ctx.body = '';
}
