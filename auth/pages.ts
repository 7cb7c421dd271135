import type { Context } from 'koa';
import { Refusal } from '../errors.ts';
import { requestId } from '../http/context.ts';
import { wantsPage } from '../http/errors.ts';
import { pageHeaders } from '../http/headers.ts';
import type { MessagePage, Views } from '../views/render.ts';

/** A refusal as a page: what happened, what to do now, and the code to give to support. */
export function drawRefusal(views: Views) {
  return (ctx: Context, refusal: Refusal): void => {
    pageHeaders(ctx);
    ctx.type = 'html';
    ctx.body = views.message({
      ...(PAGES[refusal.code] ?? FALLBACK(refusal)),
      ...(refusal instanceof PageRefusal && refusal.page),
      supportCode: requestId(ctx),
    });
  };
}

/** A refusal that knows how to put itself to a person. */
export class PageRefusal extends Refusal {
  readonly page: MessagePage;

  constructor(
    page: MessagePage,
    status: number,
    more: { code?: string; detail?: string; cause?: unknown } = {},
  ) {
    super(more.code ?? 'invalid_request', status, `${page.title}. ${page.text}`, more);
    this.page = page;
  }
}

/** The request, or the person's way through it, is over: expired, finished, or started in another browser. */
export const requestIsOver = (detail: string) =>
  new PageRefusal(
    {
      title: 'This sign-in can no longer be completed',
      text: 'It has expired, was completed already, or was started in another browser. Go back to your app and connect again.',
    },
    400,
    { detail },
  );

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
 * The engine's errors that must not be redirected (unknown client, unregistered redirect URI, expired request) and
 * those of its endpoints when a browser asks. JSON or a page, by Accept.
 */
export async function renderAuthorizationError(
  ctx: Context,
  out: { error: string; error_description?: string },
  error: unknown,
): Promise<void> {
  if (!wantsPage(ctx)) {
    ctx.body = { error: out.error, error_description: out.error_description };
    return;
  }
  const refusal = ctx.state.resuming
    ? requestIsOver((error as { error_detail?: string }).error_detail ?? '')
    : new Refusal(
        out.error,
        ctx.status,
        sentence(out.error_description ?? 'The request is not valid'),
      );
  (ctx.state.drawRefusal as ReturnType<typeof drawRefusal>)(ctx, refusal);
}

const sentence = (text: string) =>
  `${text.charAt(0).toUpperCase()}${text.slice(1).replace(/\.?$/, '.')}`;
