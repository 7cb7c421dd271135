import { setTimeout as delay } from 'node:timers/promises';
import { Readable } from 'node:stream';
import { forbidden, invalid, refuse, unauthenticated } from '../errors.ts';
import type { Ctx, Next } from '../http/types.ts';
import type { FaultName, FaultOptions, FaultSwitchboard } from './switchboard.ts';

type Effect = (ctx: Ctx, next: Next, options: FaultOptions) => unknown;

/** Paths of the paginated operations. */
const lists =
  /\/(companies|inventory-items|landed-cost|cogs|warehouses|warehouses\/[^/]+\/balances)$/;

/** What each general fault does to a request, in the order in which they are tried. */
const effects: Partial<Record<FaultName, Effect>> = {
  async slow(ctx, next, { ms = 1_000 }) {
    await delay(ms, undefined, { signal: hungUp(ctx) }).catch(() => {});
    await next();
  },
  async hang(ctx) {
    const signal = hungUp(ctx);
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    ctx.respond = false;
  },
  reset(ctx) {
    ctx.respond = false;
    ctx.req.socket.resetAndDestroy();
  },
  'expired-token'() {
    throw unauthenticated();
  },
  forbidden() {
    throw forbidden();
  },
  unprocessable() {
    throw invalid({ start_date: ['The start date field must match the format Y-m-d.'] });
  },
  'rate-limit'(_ctx, _next, { seconds = 7 }) {
    throw refuse(429, 'Too Many Attempts.', { 'Retry-After': String(seconds) });
  },
  'html-500': serverErrorPage,
  'registration-500': serverErrorPage,
  'require-per-page'(ctx, next) {
    const bare = lists.test(ctx.path) && ctx.query.per_page === undefined;
    return bare ? serverErrorPage(ctx) : next();
  },
  garbage(ctx) {
    ctx.type = 'application/json';
    ctx.body = '{"current_page":1,"data":[{"id":201,"name":"Harb';
  },
  'huge-body'(ctx, _next, { megabytes = 20 }) {
    ctx.type = 'application/json';
    ctx.body = Readable.from(hugeJson(megabytes));
  },
  async 'wrong-content-type'(ctx, next) {
    await next();
    ctx.body = bodyText(ctx);
    ctx.type = 'text/html; charset=UTF-8';
  },
  async cut(ctx, next) {
    await next();
    const text = Buffer.from(bodyText(ctx));
    ctx.respond = false;
    ctx.res.writeHead(ctx.status, { 'Content-Length': text.length });
    ctx.res.write(text.subarray(0, Math.floor(text.length / 2)), () => ctx.req.socket.destroy());
  },
};

/** Lets the faults that are on happen. Those that only delay or disfigure let the next one happen too. */
export function faultEffects(faults: FaultSwitchboard) {
  const all = Object.entries(effects) as [FaultName, Effect][];

  return function applyFaults(ctx: Ctx, next: Next) {
    const from = async (position: number): Promise<void> => {
      for (const [offset, [name, effect]] of all.slice(position).entries()) {
        const options = faults.take(name, ctx.state.facts);
        if (options) return void (await effect(ctx, () => from(position + offset + 1), options));
      }
      await next();
    };
    return from(0);
  };
}

/** Aborted when the client goes away, or the sandbox closes. */
function hungUp(ctx: Ctx): AbortSignal {
  const controller = new AbortController();
  if (ctx.res.destroyed) controller.abort();
  ctx.res.once('close', () => controller.abort());
  return controller.signal;
}

function serverErrorPage(ctx: Ctx): void {
  ctx.status = 500;
  ctx.type = 'text/html; charset=UTF-8';
  ctx.body = `<!doctype html><html><head><title>Server Error</title></head><body>
<h1>Whoops, something went wrong.</h1>
<pre>ErrorException: Attempt to read property "uuid" on null
#0 /srv/panel/app/Http/Controllers/InventoryController.php(118): App\\Models\\Company->resolve()
#1 /srv/panel/vendor/framework/src/Routing/Controller.php(54): callAction('index', Array)
#2 DB_HOST=db.internal.example DB_USERNAME=panel
#3 {main}</pre></body></html>`;
}

function* hugeJson(megabytes: number) {
  const entry = `"${'x'.repeat(65_533)}",`;
  yield '{"data":[';
  for (let n = 0; n < megabytes * 16; n++) yield entry;
  yield '"end"]}';
}

function bodyText(ctx: Ctx): string {
  return typeof ctx.body === 'string' ? ctx.body : JSON.stringify(ctx.body ?? '');
}
