import Router from '@koa/router';
import type { SandboxContext } from '../context.ts';
import { notFound, refuse } from '../errors.ts';
import { jsonObject } from '../http/body.ts';
import type { Ctx, Next, SandboxState } from '../http/types.ts';
import type { Sessions } from '../oauth/sessions.ts';
import { catalogue, isFaultName, type FaultName, type FaultOptions } from './switchboard.ts';

/** The switches over HTTP: a tool for the developer at this machine. */
export function faultRoutes({ faults, grants, data }: SandboxContext, sessions: Sessions) {
  const router = new Router<SandboxState>({ prefix: '/_sandbox' });
  router.use(fromThisMachine);

  const show = (ctx: Ctx) => {
    ctx.body = { active: faults.list(), available: catalogue };
  };
  router.get('/faults', show);
  router.post('/faults', (ctx) => {
    const { name, ...options } = readJson(ctx);
    faults.set(readName(name), readOptions(options));
    show(ctx);
  });
  router.delete('/faults', (ctx) => {
    const { name } = ctx.query;
    faults.clear(name === undefined ? undefined : readName(name));
    show(ctx);
  });

  router.post('/revoke-user', (ctx) => {
    const { email } = readJson(ctx);
    const user = data.users.find((candidate) => candidate.email === email);
    if (!user) throw refuse(422, 'email must be the address of a sandbox user.');
    sessions.endAll(user.id);
    ctx.body = { revoked_grants: grants.revokeAll((grant) => grant.subject === user.id) };
  });
  return router;
}

/** Keeps away pages of other sites, through a tunnel or a name that points to loopback. */
function fromThisMachine(ctx: Ctx, next: Next) {
  const local = ['localhost', '127.0.0.1', '[::1]'];
  const origin = ctx.get('Origin');
  if (!local.includes(ctx.hostname) && ctx.hostname !== '::1') throw notFound();
  if (origin && !local.includes(URL.parse(origin)?.hostname ?? '')) throw notFound();
  return next();
}

function readJson(ctx: Ctx): Record<string, unknown> {
  const body = ctx.is('json') ? jsonObject(ctx.state.body) : undefined;
  if (!body) throw refuse(422, 'Send a JSON object as application/json.');
  return body;
}

function readName(name: unknown): FaultName {
  if (isFaultName(name)) return name;
  throw refuse(422, `name must be one of ${Object.keys(catalogue).join(', ')}.`);
}

const numbers = ['times', 'ms', 'seconds', 'megabytes'];
const texts = ['path', 'operation', 'method'];
const numberMax = 1_000_000_000;

function readOptions(options: Record<string, unknown>): FaultOptions {
  for (const [name, value] of Object.entries(options)) {
    const good = numbers.includes(name)
      ? Number.isInteger(value) && Number(value) >= (name === 'times' ? 1 : 0)
      : texts.includes(name) && typeof value === 'string';
    if (!good || Number(value) > numberMax) {
      throw refuse(422, `${name}: options are ${numbers} (whole numbers) and ${texts} (strings).`);
    }
  }
  return options;
}
