import type { Context } from 'koa';
import { Refusal } from '../errors.ts';
import { requestId } from '../http/context.ts';
import { type ErrorPage, wantsPage } from '../http/errors.ts';
import { answerPage } from '../http/page.ts';
import type { Message, Views } from '../views/render.ts';
import { PageRefusal, requestIsOver, unknownClient } from './page-refusals.ts';
import { PATHS } from './paths.ts';

/** A refusal as a page: what happened, what to do now, and the code to give to support. */
export function drawRefusal(views: Views): ErrorPage {
  return (ctx, refusal) => {
    const page = refusal instanceof PageRefusal ? refusal.page : pageFor(ctx, refusal);
    answerPage(ctx, (reader) => views.message(reader, { ...page, supportCode: requestId(ctx) }));
  };
}

/** What people are told of a refusal that was thrown for programs. */
function pageFor(
  ctx: Context,
  refusal: Refusal,
): { message: Message; forMaker?: string; retryAt?: string } {
  if (refusal.status === 429) return { message: { key: 'tooMany' } };
  switch (refusal.code) {
    case 'invalid_client':
      return { message: unknownClient(new URLSearchParams(ctx.querystring).get('redirect_uri')) };
    case 'temporarily_unavailable':
      return { message: { key: 'tryLater' } };
    case 'server_error':
      return { message: { key: 'serverError' } };
    case 'not_found':
      return { message: { key: 'notFound' } };
    default:
      // No app has sent anybody there.
      if (ctx.path === PATHS.account || ctx.path.startsWith(`${PATHS.account}/`))
        return { message: { key: 'accountNotPossible' }, retryAt: PATHS.account };
      return { message: { key: 'notPossible' }, forMaker: refusal.description };
  }
}

/**
 * Answers what the engine must not redirect: an unknown client, an unregistered redirect URI, a request that is over.
 * JSON or a page, by Accept.
 */
export function authorizationErrorRenderer(draw: ErrorPage) {
  return async function renderAuthorizationError(
    ctx: Context,
    out: { error: string; error_description?: string },
    error: unknown,
  ): Promise<void> {
    if (!wantsPage(ctx)) {
      ctx.body = { error: out.error, error_description: out.error_description };
      return;
    }
    if (error instanceof PageRefusal) return draw(ctx, error);
    const description = sentence(out.error_description ?? 'The request is not valid');
    // What failed on our side is not over: the same address may be asked again. And of a client that is gone meanwhile
    // the person is told what to do about it.
    const isOver =
      ctx.path.startsWith(`${PATHS.authorize}/`) &&
      ctx.status < 500 &&
      out.error !== 'invalid_client';
    const refusal = isOver
      ? requestIsOver('over', (error as { error_detail?: string }).error_detail ?? description)
      : new Refusal(out.error, ctx.status, description);
    draw(ctx, refusal);
  };
}

const sentence = (text: string) =>
  `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.?$/, '.')}`;
