import Router from '@koa/router';
import type { SandboxContext } from '../context.ts';
import type { SandboxState } from '../http/types.ts';
import { createAuthorize } from './authorize.ts';
import { createMetadata } from './metadata.ts';
import { homePage, loggedOutPage } from './pages.ts';
import { createRegistration } from './register.ts';
import { createRevocationEndpoint } from './revoke.ts';
import type { Sessions } from './sessions.ts';
import { createTokenEndpoint } from './token.ts';

/** Every route of the login side. */
export function oauthRoutes(context: SandboxContext, sessions: Sessions) {
  const { issuer, keys, faults } = context;
  const authorize = createAuthorize(context, sessions);
  const registration = createRegistration(context);
  const router = new Router<SandboxState>();

  router.get('/.well-known/oauth-authorization-server', (ctx) => {
    ctx.body = createMetadata(issuer, faults.isOn('offer-revocation'));
  });
  router.get('/.well-known/jwks.json', (ctx) => {
    ctx.set('Cache-Control', 'public, max-age=300');
    ctx.body = keys.published();
  });

  router.get('/oauth2/authorize', authorize.start);
  router.post('/oauth2/authorize', authorize.login);
  router.post('/oauth2/token', createTokenEndpoint(context));
  router.post('/oauth2/revoke', createRevocationEndpoint(context));

  router.post('/oauth2/register', registration.register);
  router.get('/oauth2/register/:id', registration.read);
  router.patch('/oauth2/register/:id', registration.change);
  router.delete('/oauth2/register/:id', registration.remove);
  router.post('/oauth2/register/:id/rotate', registration.rotate);
  router.post('/oauth2/register/:id/rotate-secret', registration.rotateSecret);

  router.get('/logout', (ctx) => {
    sessions.end(ctx);
    ctx.type = 'text/html; charset=UTF-8';
    ctx.body = loggedOutPage();
  });
  router.get('/', (ctx) => {
    ctx.type = 'text/html; charset=UTF-8';
    ctx.body = homePage(issuer);
  });
  return router;
}
