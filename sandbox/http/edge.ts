import { Refusal } from '../errors.ts';
import type { Ctx, Next } from './types.ts';

/** The outermost step: what was thrown becomes a JSON answer, what nobody answered becomes a 404. */
export function edge(log: (line: string) => void) {
  return async function renderErrors(ctx: Ctx, next: Next) {
    try {
      await next();
      if (ctx.respond === false || ctx.body !== undefined) return;
      if (ctx.status === 404) throw new Refusal(404, { message: 'Not Found' });
      if (ctx.status === 405 || ctx.status === 501) {
        const allow = { Allow: ctx.response.get('Allow') };
        throw new Refusal(405, { message: 'Method Not Allowed' }, allow);
      }
    } catch (error) {
      const refusal = toRefusal(error);
      if (refusal.status >= 500) log(`${ctx.method} ${ctx.path}: ${String(error)}`);
      ctx.status = refusal.status;
      ctx.set(refusal.headers);
      ctx.body = refusal.body === undefined ? '' : JSON.stringify(refusal.body);
      if (refusal.body !== undefined) ctx.type = 'application/json';
    }
  };
}

function toRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const status = error instanceof Error && 'status' in error ? Number(error.status) : 500;
  if (status >= 400 && status < 500) return new Refusal(status, { message: 'Bad Request' });
  return new Refusal(500, { message: 'Server Error' });
}
