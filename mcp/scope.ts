import type { AuthInfo } from '@modelcontextprotocol/server';
import type { Log } from '../log.ts';
import type { Bearer } from './bearer.ts';
import type { Caller } from './caller.ts';

/** What belongs to one request and travels with it through the SDK to the tool. */
export interface RequestScope {
  /** Undefined for anonymous discovery. */
  readonly caller: Caller | undefined;
  readonly loan: unknown;
  /** Epoch milliseconds. */
  readonly deadline: number;
  /** Aborted when the client is gone. */
  readonly signal: AbortSignal;
  readonly requestId: string;
  readonly log: Log;
}

/** The SDK's carrier for it. */
export function authInfoOf(
  bearer: Bearer,
  more: Omit<RequestScope, 'caller'> & { resourceMetadataUrl: string },
): AuthInfo {
  const { resourceMetadataUrl, ...rest } = more;
  const known = bearer.kind === 'caller' ? bearer : undefined;
  const scope: RequestScope = { ...rest, caller: known?.caller };
  return {
    token: known?.token ?? '',
    clientId: known?.caller.clientId ?? '',
    scopes: [...(known?.caller.scopes ?? [])],
    ...(known && { expiresAt: known.expiresAt }),
    resourceMetadataUrl,
    extra: scope as unknown as Record<string, unknown>,
  } as AuthInfo;
}

export const scopeOf = (authInfo: AuthInfo): RequestScope =>
  authInfo.extra as unknown as RequestScope;
