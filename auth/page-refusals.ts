import { NeonpanelError } from '../adapters/neonpanel/neonpanel.ts';
import { Refusal, StoreUnavailable } from '../errors.ts';
import { inEnglish, type Message } from '../views/render.ts';
import { namedApp } from './known-apps.ts';
import { PATHS } from './paths.ts';

/** A refusal that knows how to put itself to a person, in whatever language the person reads. */
export class PageRefusal extends Refusal {
  readonly page: PageOfRefusal;

  /**
   * @param more.description for programs, if what a person is told makes no sense to them; ASCII (RFC 6749 §5.2)
   * @param more.forMaker what the maker of the app should know, in English; shown to the person as such
   * @param more.retryAt the path of ours from which the person can try again
   */
  constructor(
    message: Message,
    status: number,
    more: {
      code?: string;
      description?: string;
      detail?: string | undefined;
      forMaker?: string;
      retryAt?: string;
      retryAfterSeconds?: number | undefined;
      cause?: unknown;
    } = {},
  ) {
    const { code = 'invalid_request', description = inEnglish(message), forMaker, retryAt } = more;
    super(code, status, description, more);
    this.page = { message, forMaker, retryAt };
  }
}

interface PageOfRefusal {
  readonly message: Message;
  readonly forMaker: string | undefined;
  readonly retryAt: string | undefined;
}

/** Why a request, or the person's way through it, is over; `over` if that can't be told. */
export type Ending = 'expired' | 'used' | 'declined' | 'otherBrowser' | 'over';

export const requestIsOver = (ending: Ending, detail: string) =>
  new PageRefusal({ key: ending }, 400, { detail });

/** The client is gone. @param redirectUri as it was asked for: it may tell which app that was */
export function unknownClient(redirectUri: unknown): Message {
  const app = namedApp(redirectUri);
  return app ? { key: 'unknownClientOf', values: { app } } : { key: 'unknownClient' };
}

/** The form was not sent by our page, or not by the browser that our page was shown in. */
export const forged = (detail: string) =>
  new PageRefusal({ key: 'forged' }, 403, {
    code: 'access_denied',
    description: 'This page must be opened and answered in the same browser.',
    detail,
  });

/** The same on the page of connected apps, which no app has sent anybody to. */
export const accountForged = (detail: string) =>
  new PageRefusal({ key: 'accountForged' }, 403, {
    code: 'access_denied',
    detail,
    retryAt: PATHS.account,
  });

/** The store is away while a form there is carried out. @param isPartly some of it may have been done */
export const accountBusy = (
  { code, detail, retryAfterSeconds }: StoreUnavailable,
  isPartly: boolean,
) =>
  new PageRefusal({ key: isPartly ? 'accountPartly' : 'accountBusy' }, 503, {
    ...{ code, detail, retryAfterSeconds },
    retryAt: PATHS.account,
  });

/** The way through NeonPanel's login to the page of connected apps is over. */
export const accountOver = (ending: Ending) =>
  new PageRefusal({ key: 'accountOver' }, 400, { detail: ending, retryAt: PATHS.account });

/** Nobody signed in at NeonPanel. */
export const notSignedIn = () =>
  new PageRefusal({ key: 'accountDenied' }, 400, {
    code: 'access_denied',
    detail: 'sign-in at NeonPanel was cancelled',
    retryAt: PATHS.account,
  });

/** The form came without a decision: a browser extension, or a program. */
export const choiceIsMissing = () =>
  new Refusal('invalid_request', 400, 'decision must be approve or deny.', {
    detail: 'decision is neither approve nor deny',
  });

/**
 * To be given to `catch` where NeonPanel is asked: its failure, or the store's, becomes a page from which the person can
 * try again; the request is kept for that. Anything else is passed on.
 *
 * @param retryAt the path from which it is tried again
 * @param away what is said if nobody answers, where there is no request of an app to be kept
 * @throws PageRefusal, or what it was given
 */
export const signInFailed =
  (retryAt: string, away?: 'accountAway') =>
  (error: unknown): never => {
    if (error instanceof StoreUnavailable) {
      const { code, detail, retryAfterSeconds } = error;
      throw new PageRefusal({ key: away ?? 'busy' }, 503, {
        code,
        detail,
        retryAfterSeconds,
        retryAt,
      });
    }
    if (!(error instanceof NeonpanelError)) throw error;
    const detail = [error.message, error.detail].filter(Boolean).join(': ');
    const [key, status, code] =
      error.kind === 'refused'
        ? (['neonpanelRefused', 400, 'access_denied'] as const)
        : ([away ?? 'neonpanelAway', 502, 'temporarily_unavailable'] as const);
    const { retryAfterSeconds } = error;
    throw new PageRefusal({ key }, status, {
      code,
      detail,
      retryAt,
      retryAfterSeconds,
      cause: error,
    });
  };
