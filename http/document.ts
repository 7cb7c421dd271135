import type { Context } from 'koa';
import { Refusal } from '../errors.ts';
import { allowAnyOrigin, answerOptions } from './cors.ts';

const METHODS = ['GET', 'HEAD'];

/**
 * What is the same for every public document that programs read: any origin may, and it may be kept for five minutes.
 *
 * @returns whether the document is what is asked for; if not, the answer is there
 * @throws Refusal 405 for other methods
 */
export function opensDocument(ctx: Context): boolean {
  ctx.state.programsOnly = true;
  allowAnyOrigin(ctx);
  if (ctx.method === 'OPTIONS') {
    answerOptions(ctx, METHODS);
    return false;
  }
  if (!METHODS.includes(ctx.method)) {
    ctx.set('Allow', [...METHODS, 'OPTIONS'].join(', '));
    throw new Refusal('invalid_request', 405, 'Use GET.');
  }
  ctx.set('Cache-Control', 'public, max-age=300');
  return true;
}
