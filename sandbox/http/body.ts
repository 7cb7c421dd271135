import { refuse } from '../errors.ts';
import type { Ctx, Next } from './types.ts';

const bodyBytesMax = 12 * 1024 * 1024;

/**
 * Reads the whole body before anything else looks at the request. One that is too large is read to its
 * end as well, and forgotten: only then does the client listen to the refusal.
 */
export async function readBody(ctx: Ctx, next: Next) {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of ctx.req) {
    bytes += chunk.length;
    if (bytes <= bodyBytesMax) chunks.push(chunk);
    else chunks.length = 0;
  }
  if (bytes > bodyBytesMax) throw refuse(413, 'The request is too large.');
  ctx.state.body = Buffer.concat(chunks);
  await next();
}

/** The body as a JSON object; undefined when it is anything else. */
export function jsonObject(body: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
