import type { Context } from 'koa';
import { Refusal } from '../errors.ts';
import { requestId } from '../http/context.ts';
import { logRefusal } from '../http/errors.ts';
import { challengeHeader } from './challenge.ts';

/** A refusal in the shape MCP clients read: a JSON-RPC error. */
export class RpcRefusal extends Refusal {
  readonly rpcCode: number;
  /** Of the message that is refused; null where it could not be read, or where there are several. */
  readonly id: string | number | null;

  constructor(
    status: number,
    rpcCode: number,
    description: string,
    id: string | number | null = null,
    more: {
      code?: string;
      detail?: string | undefined;
      retryAfterSeconds?: number | undefined;
    } = {},
  ) {
    super(more.code ?? 'invalid_request', status, description, more);
    this.rpcCode = rpcCode;
    this.id = id;
  }
}

/**
 * 401: sign in, or sign in again. Rendered as OAuth JSON with a challenge, for every client alike. There is an error
 * code in the challenge only if a token was presented (RFC 6750 §3.1).
 */
export class Unauthorized extends Refusal {
  readonly presented: boolean;

  constructor(presented: 'no token' | 'a token', detail?: string) {
    const isPresented = presented === 'a token';
    const description = isPresented
      ? 'The access token is invalid, expired or revoked.'
      : 'Sign in to use this server.';
    super('invalid_token', 401, description, detail === undefined ? {} : { detail });
    this.presented = isPresented;
  }
}

/** Renders every refusal on the MCP endpoint; what is not a Refusal goes on to the error edge. */
export function renderRpc(ctx: Context, refusal: Refusal, resourceMetadataUrl: string): void {
  const { code, status, description, retryAfterSeconds } = refusal;
  logRefusal(ctx, refusal);
  ctx.status = status;
  ctx.set('Cache-Control', 'no-store');
  if (retryAfterSeconds) ctx.set('Retry-After', String(retryAfterSeconds));
  if (refusal instanceof Unauthorized) {
    const challenge = refusal.presented ? { error: 'invalid_token' as const, description } : {};
    ctx.set('WWW-Authenticate', challengeHeader(resourceMetadataUrl, challenge));
    ctx.body = { error: code, error_description: description, request_id: requestId(ctx) };
    return;
  }
  ctx.body = {
    jsonrpc: '2.0',
    id: refusal instanceof RpcRefusal ? refusal.id : null,
    error: {
      code: refusal instanceof RpcRefusal ? refusal.rpcCode : -32000,
      message: description,
      data: { error: code, request_id: requestId(ctx) },
    },
  };
}
