import { RESOURCE_SCOPES } from '../resource.ts';

/** Addresses that a client may have been given; each has protected-resource metadata of its own. */
export const RESOURCE_PATHS = ['', '/mcp', '/sse'] as const;
export type ResourcePath = (typeof RESOURCE_PATHS)[number];

/** RFC 9728 §3.1; the resource's path comes behind it. */
export const METADATA_PATH = '/.well-known/oauth-protected-resource';

export interface Challenge {
  readonly error?: 'invalid_token' | 'insufficient_scope';
  readonly description?: string;
  /** Default: all. Older clients ask once for what the challenge names, and can't step up later. */
  readonly scopes?: readonly string[];
}

/**
 * The WWW-Authenticate value of a request that has to sign in, or to ask for more (RFC 6750 §3, RFC 9728 §5.1): where
 * the metadata is and which scopes to ask for.
 */
export function challengeHeader(resourceMetadataUrl: string, challenge: Challenge): string {
  const parameters = {
    ...(challenge.error && { error: challenge.error }),
    ...(challenge.description && { error_description: challenge.description }),
    scope: (challenge.scopes ?? RESOURCE_SCOPES).join(' '),
    resource_metadata: resourceMetadataUrl,
  };
  return `Bearer ${Object.entries(parameters)
    .map(([name, value]) => `${name}="${value}"`)
    .join(', ')}`;
}
