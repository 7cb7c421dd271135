import { Router } from '@koa/router';
import type { Context } from 'koa';
import type { NeonpanelState } from '../adapters/neonpanel/watch.ts';
import { Refusal } from '../errors.ts';
import type { Views } from '../views/render.ts';
import { allowAnyOrigin, answerOptions } from './cors.ts';
import { answerDocument } from './document.ts';
import { wantsPage } from './errors.ts';
import { answerPage } from './page.ts';

/** A logo comes from an operator and may be an SVG: opened by itself, it must neither run nor load anything. */
const ASSET_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox";

export interface SiteOptions {
  readonly publicUrl: string;
  readonly version: string;
  readonly views: Views;
  /** Resolves if we can serve. */
  readonly ready: () => Promise<void>;
  /** Whether NeonPanel answers, as far as is known. */
  readonly neonpanel: () => NeonpanelState;
  /** A document of OpenAPI; the same for everybody for as long as the server runs. */
  readonly openApi: object;
  /** The word by which OpenAI sees that this domain is ours (OPENAI_APPS_CHALLENGE). */
  readonly openaiAppsChallenge?: string | undefined;
}

/**
 * The few addresses that are neither OAuth nor MCP: the front door, what pages load, the description of NeonPanel's
 * API, robots.txt, OpenAI's check.
 */
export function site(options: SiteOptions) {
  const { publicUrl, version, views, ready, neonpanel, openApi, openaiAppsChallenge } = options;
  const mcpUrl = `${publicUrl}/mcp`;
  const router = new Router({ strict: true, sensitive: true });

  router.get('/', async (ctx: Context) => {
    ctx.vary('Accept');
    if (!wantsPage(ctx)) {
      ctx.body = { name: 'neonpanel-mcp', version, mcp_endpoint: mcpUrl, issuer: publicUrl };
      return;
    }
    const isReady = await ready().then(
      () => true,
      () => false,
    );
    const page = { mcpUrl, isReady, neonpanel: neonpanel() };
    answerPage(ctx, (reader) => views.home(reader, page), { script: true });
  });

  for (const [path, { type, body }] of views.assets) {
    router.get(path, (ctx: Context) => {
      ctx.set('Cache-Control', 'public, max-age=3600');
      ctx.set('Content-Security-Policy', ASSET_POLICY);
      ctx.type = type;
      ctx.body = body;
    });
  }

  if (openaiAppsChallenge !== undefined) {
    router.all('/.well-known/openai-apps-challenge', (ctx: Context) =>
      answerDocument(ctx, openaiAppsChallenge),
    );
  }

  // Only programs look here, and a page would make them think that they found something.
  router.all(/^\/\.well-known(\/|$)/, (ctx: Context) => {
    ctx.state.programsOnly = true;
    allowAnyOrigin(ctx);
    if (ctx.method === 'OPTIONS') answerOptions(ctx, ['GET', 'HEAD']);
  });

  router.all('/openapi.json', (ctx: Context) => answerDocument(ctx, openApi));

  router.get('/robots.txt', (ctx: Context) => {
    ctx.type = 'text/plain';
    ctx.body = 'User-agent: *\nDisallow: /\n';
  });

  const paths = ['/', ...views.assets.keys(), '/robots.txt'];
  router.all(paths, (ctx: Context) => {
    // POST / is the MCP endpoint.
    const methods = ctx.path === '/' ? 'GET, HEAD, POST, OPTIONS' : 'GET, HEAD';
    ctx.set('Allow', methods);
    throw new Refusal('invalid_request', 405, `This address takes ${methods}.`);
  });

  return router.routes();
}
