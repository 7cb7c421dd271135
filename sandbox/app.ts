import Koa from 'koa';
import { apiRoutes } from './api/routes.ts';
import { operations } from './api/operations.ts';
import type { SandboxContext } from './context.ts';
import { faultEffects } from './faults/effects.ts';
import { createOperationFinder } from './faults/operations.ts';
import { faultRoutes } from './faults/routes.ts';
import { readBody } from './http/body.ts';
import { edge } from './http/edge.ts';
import type { Recorder } from './http/recorder.ts';
import type { Ctx, Next, SandboxState } from './http/types.ts';
import { oauthRoutes } from './oauth/routes.ts';
import { createSessions } from './oauth/sessions.ts';

/** The order of things: errors at the edge, body, recorder, faults, then the routes. */
export function createApp(context: SandboxContext, recorder: Recorder): Koa<SandboxState> {
  const { log, faults } = context;
  const sessions = createSessions(context);
  const operationOf = createOperationFinder(operations);
  const app = new Koa<SandboxState>();
  app.on('error', (error) => log(`response failed: ${String(error)}`));

  app.use(edge(log));
  app.use(readBody);
  app.use(recorder.middleware);
  app.use(function nameOperation(ctx: Ctx, next: Next) {
    const { method, path } = ctx;
    ctx.state.facts = { method, path, operation: operationOf(method, path) };
    return next();
  });
  app.use(faultEffects(faults));
  app.use(edge(log)); // refusals of the routes are answers like any other, and faults may spoil them

  const routers = [
    faultRoutes(context, sessions),
    oauthRoutes(context, sessions),
    apiRoutes(context),
  ];
  for (const router of routers) app.use(router.routes()).use(router.allowedMethods());
  return app;
}
