import type { Middleware } from 'koa';
import { answerDocument } from '../http/document.ts';
import { RESOURCE_SCOPES } from '../resource.ts';
import { METADATA_PATH, RESOURCE_PATHS, type ResourcePath } from './challenge.ts';

/**
 * Protected-resource metadata (RFC 9728 §2), one document for each address a client may have been given: clients check
 * that `resource` is the address they use. All of them lead to the same issuer and the same audience.
 */
export function resourceMetadata(publicUrl: string): Middleware {
  return async function protectedResourceMetadata(ctx, next) {
    const suffix = ctx.path.slice(METADATA_PATH.length) as ResourcePath;
    if (!ctx.path.startsWith(METADATA_PATH) || !RESOURCE_PATHS.includes(suffix)) return next();
    answerDocument(ctx, {
      resource: `${publicUrl}${suffix}`,
      authorization_servers: [publicUrl],
      scopes_supported: [...RESOURCE_SCOPES],
      bearer_methods_supported: ['header'],
      resource_name: 'NeonPanel',
    });
  };
}
