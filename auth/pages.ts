import type { Context } from 'koa';
import { Refusal } from '../errors.ts';
import { requestId } from '../http/context.ts';
import { type ErrorPage, wantsPage } from '../http/errors.ts';
import { pageHeaders } from '../http/headers.ts';
import type { MessagePage, Views } from '../views/render.ts';
import { PageRefusal, requestIsOver } from './page-refusals.ts';
import { PATHS } from './paths.ts';

/** A refusal as a page: what happened, what to do now, and the code to give to support. */
export function drawRefusal(views: Views): ErrorPage {
  return (ctx, refusal) => {
    pageHeaders(ctx);
    ctx.type = 'html';
    ctx.body = views.message({
      ...(PAGES[refusal.code] ?? FALLBACK(refusal)),
      ...(refusal instanceof PageRefusal && refusal.page),
      supportCode: requestId(ctx),
    });
  };
}

const PAGES: Record<string, MessagePage> = {
  invalid_client: {
    title: 'This app is not known here any more',
    text: 'Remove the NeonPanel connector in your app and add it again; it then registers itself anew.',
  },
  temporarily_unavailable: {
    title: 'Please try again in a moment',
    text: 'A part of this service is not answering right now. Nothing is lost: reload this page in a few seconds.',
  },
  server_error: {
    title: 'Something went wrong on our side',
    text: 'Please try again. If it keeps happening, tell us the code below.',
  },
  not_found: {
    title: 'There is nothing here',
    text: 'The address may be mistyped. To connect an app, start from that app.',
  },
};

const FALLBACK = (refusal: Refusal): MessagePage => ({
  title: 'This request can’t be completed',
  text: `${refusal.description} Go back to your app and connect again.`,
});

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
      ? requestIsOver((error as { error_detail?: string }).error_detail ?? description)
      : new Refusal(out.error, ctx.status, description);
    draw(ctx, refusal);
  };
}

const sentence = (text: string) =>
  `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.?$/, '.')}`;
