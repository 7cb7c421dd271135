import { RESOURCE_SCOPES } from '../resource.ts';

/**
 * What an unauthenticated or under-authorized request is told (RFC 6750 §3, RFC 9728 §5.1): where the metadata is and
 * which scopes to ask for. All of them, because older clients ask once and can't step up later.
 */
export interface Challenge {
  readonly error?: 'invalid_token' | 'insufficient_scope';
  readonly description?: string;
}

/** Paths with protected-resource metadata of their own: what a client was given must equal the `resource` it reads. */
export const RESOURCE_PATHS = ['', '/mcp', '/sse'] as const;
export type ResourcePath = (typeof RESOURCE_PATHS)[number];

export const METADATA_PATH = '/.well-known/oauth-protected-resource';

/** The WWW-Authenticate header. @param path the resource the request was for */
export function challengeHeader(
  publicUrl: string,
  path: ResourcePath,
  challenge: Challenge,
): string {
  const parameters = {
    ...(challenge.error && { error: challenge.error }),
    ...(challenge.description && { error_description: challenge.description }),
    scope: RESOURCE_SCOPES.join(' '),
    resource_metadata: `${publicUrl}${METADATA_PATH}${path}`,
  };
  return `Bearer ${Object.entries(parameters)
    .map(([name, value]) => `${name}="${value}"`)
    .join(', ')}`;
}

/** Protected-resource metadata (RFC 9728 §2), one document for each address a client may have been given. */
export function protectedResourceMetadata(publicUrl: string, path: ResourcePath) {
  return {
    resource: `${publicUrl}${path}`,
    authorization_servers: [publicUrl],
    scopes_supported: [...RESOURCE_SCOPES],
    bearer_methods_supported: ['header'],
    resource_name: 'NeonPanel',
  };
}
