import type { Context } from 'koa';
import { Refusal } from '../errors.ts';
import { allowAnyOrigin, answerOptions } from './cors.ts';

const METHODS = ['GET', 'HEAD'];

/**
 * What all public documents have in common: they are for programs of any origin, and may be kept for five minutes.
 *
 * @param body of the answer; a string goes out as plain text, an object as JSON
 * @throws Refusal 405 for a method that does not read
 */
export function answerDocument(ctx: Context, body: string | object): void {
  ctx.state.programsOnly = true;
  allowAnyOrigin(ctx);
  if (ctx.method === 'OPTIONS') return answerOptions(ctx, METHODS);
  if (!METHODS.includes(ctx.method)) {
    ctx.set('Allow', [...METHODS, 'OPTIONS'].join(', '));
    throw new Refusal('invalid_request', 405, 'Use GET.');
  }
  ctx.set('Cache-Control', 'public, max-age=300');
  if (typeof body === 'string') ctx.type = 'text/plain';
  ctx.body = body;
}
