import { NeonpanelError } from '../adapters/neonpanel/neonpanel.ts';
import { Refusal, StoreUnavailable } from '../errors.ts';
import type { MessagePage } from '../views/render.ts';
import { PATHS } from './paths.ts';

/**
 * A refusal that knows how to put itself to a person.
 *
 * @param more.description for programs, if what a person is told makes no sense to them; ASCII (RFC 6749 §5.2)
 */
export class PageRefusal extends Refusal {
  readonly page: MessagePage;

  constructor(
    page: MessagePage,
    status: number,
    more: {
      code?: string;
      description?: string;
      detail?: string | undefined;
      retryAfterSeconds?: number | undefined;
      cause?: unknown;
    } = {},
  ) {
    const { code = 'invalid_request', description = `${page.title}. ${page.text}` } = more;
    super(code, status, description, more);
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

/** The form came without a decision: a browser extension, or a program. */
export const choiceIsMissing = (uid: string) =>
  new PageRefusal(
    {
      title: 'Please choose',
      text: 'Neither of the two buttons was pressed.',
      action: { href: `${PATHS.interaction}/${uid}`, label: 'Back to the question' },
    },
    400,
    { detail: 'decision is neither approve nor deny' },
  );

/**
 * To be given to `catch` where NeonPanel is asked: its failure, or the store's, becomes a page from which the person can
 * try again; the request is kept for that. Anything else is passed on.
 *
 * @throws PageRefusal, or what it was given
 */
export const signInFailed =
  (uid: string) =>
  (error: unknown): never => {
    const action = { href: `${PATHS.interaction}/${uid}`, label: 'Try again' };
    if (error instanceof StoreUnavailable) {
      const { code, detail, retryAfterSeconds } = error;
      throw new PageRefusal({ ...BUSY, action }, 503, { code, detail, retryAfterSeconds });
    }
    if (!(error instanceof NeonpanelError)) throw error;
    const isRefused = error.kind === 'refused';
    const detail = [error.message, error.detail].filter(Boolean).join(': ');
    throw isRefused
      ? new PageRefusal({ ...REFUSED, action }, 400, {
          code: 'access_denied',
          detail,
          cause: error,
        })
      : new PageRefusal({ ...UNAVAILABLE, action }, 502, {
          code: 'temporarily_unavailable',
          detail,
          cause: error,
        });
  };

const BUSY = {
  title: 'Please try again in a moment',
  text: 'A part of this service is not answering right now. Your request is kept for a few minutes.',
};

const REFUSED = {
  title: 'NeonPanel did not sign you in',
  text: 'NeonPanel refused this sign-in. You can try again, perhaps with another account.',
};

const UNAVAILABLE = {
  title: 'NeonPanel can’t be reached right now',
  text: 'Your request is kept for a few minutes. Try again in a moment.',
};
