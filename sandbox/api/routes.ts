import Router from '@koa/router';
import type { SandboxContext } from '../context.ts';
import { forbidden, unauthenticated } from '../errors.ts';
import type { Ctx, SandboxState } from '../http/types.ts';
import { createImportJobs } from './import-jobs.ts';
import { Answer, type Call } from './operation.ts';
import { operations } from './operations.ts';
import { createQuery } from './query.ts';

/** The REST API: who asks, what is asked, then the operation, then its answer. */
export function apiRoutes({ grants, data, state, now }: SandboxContext) {
  const jobs = createImportJobs(state, now);
  const router = new Router<SandboxState>({ prefix: '/api/v1' });

  for (const { method, path, run } of operations) {
    router.register(path, [method], async (ctx) => {
      const user = await authenticate(ctx);
      const books = data.books.filter(({ company }) => user?.companyIds.includes(company.id));
      const call: Call = {
        user,
        books,
        params: ctx.params,
        query: createQuery(ctx.querystring, now),
        body: ctx.state.body,
        contentType: ctx.get('Content-Type'),
        prefersText: ctx.accepts('json', 'text') === 'text',
        data,
        jobs,
        now,
      };
      send(ctx, await run(call));
    });
  }

  async function authenticate(ctx: Ctx) {
    const token = /^Bearer\s+(\S+)$/i.exec(ctx.get('Authorization'))?.[1];
    const grant = token === undefined ? undefined : await grants.verifyAccessToken(token);
    if (!grant) throw unauthenticated();
    if (!grant.tokenScope.split(' ').includes('openid')) throw forbidden();
    return data.users.find(({ id }) => id === grant.subject);
  }

  return router;
}

function send(ctx: Ctx, result: object): void {
  const { body, status, headers } = result instanceof Answer ? result : new Answer(result);
  ctx.status = status;
  ctx.body = body;
  ctx.set(headers);
}
