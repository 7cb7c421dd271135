import { Router } from '@koa/router';
import type { Context } from 'koa';
import { Refusal } from '../errors.ts';
import type { Views } from '../views/render.ts';
import { wantsPage } from './errors.ts';
import { pageHeaders } from './headers.ts';

/** The few addresses that are neither OAuth nor MCP: the front door, stylesheet and icon, robots.txt. */
export function site(options: { publicUrl: string; version: string; views: Views }) {
  const { publicUrl, version, views } = options;
  const mcpUrl = `${publicUrl}/mcp`;
  const router = new Router({ strict: true, sensitive: true });

  router.get('/', (ctx: Context) => {
    ctx.vary('Accept');
    if (!wantsPage(ctx)) {
      ctx.body = { name: 'neonpanel-mcp', version, mcp_endpoint: mcpUrl, issuer: publicUrl };
      return;
    }
    pageHeaders(ctx);
    ctx.type = 'html';
    ctx.body = views.home({ mcpUrl });
  });

  router.get('/assets/style.css', (ctx: Context) => {
    ctx.set('Cache-Control', 'public, max-age=3600');
    ctx.type = 'css';
    ctx.body = views.stylesheet;
  });

  // Only programs look here, and a page would make them think that they found something.
  router.all(/^\/\.well-known(\/|$)/, (ctx: Context) => {
    ctx.state.programsOnly = true;
  });

  router.get('/assets/icon.svg', (ctx: Context) => {
    ctx.set('Cache-Control', 'public, max-age=3600');
    ctx.type = 'image/svg+xml';
    ctx.body = views.icon;
  });

  router.get('/robots.txt', (ctx: Context) => {
    ctx.type = 'text/plain';
    ctx.body = 'User-agent: *\nDisallow: /\n';
  });

  router.all(['/', '/assets/style.css', '/robots.txt'], (ctx: Context) => {
    ctx.set('Allow', ctx.path === '/' ? 'GET, HEAD, POST, OPTIONS' : 'GET, HEAD');
    throw new Refusal('invalid_request', 405, 'Use GET.');
  });

  return router.routes();
}
