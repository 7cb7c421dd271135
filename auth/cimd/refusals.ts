import { Unacceptable } from '../../adapters/document-cache.ts';
import { TooManyFetches, Unfetchable } from '../../adapters/guarded-fetch.ts';
import { PageRefusal } from '../page-refusals.ts';

/**
 * Why a client that is an address can't be served: to a person who authorizes it in one way, to programs, which can't
 * reload a page, in another. An endpoint says `invalid_client` (401) only if the document itself does: a client drops its
 * tokens then.
 */

/** @param atEndpoint the client speaks to us itself (RFC 6749 §5.2) */
export const notAnAddress = (problem: string, atEndpoint: boolean) =>
  new PageRefusal({ key: 'notAnAddress' }, atEndpoint ? 401 : 400, {
    code: 'invalid_client',
    description: `client_id as the address of a client metadata document ${problem}`,
    forMaker: `client_id as the address of a client metadata document ${problem}.`,
    detail: `client_id ${problem}`,
  });

export const notOpen = () =>
  new PageRefusal({ key: 'notOpen' }, 400, {
    code: 'invalid_client',
    description: 'client metadata documents of new clients are not accepted here',
    detail: 'REGISTRATION is not open',
  });

/** To be given to `catch` where a document or a key set is fetched. @throws PageRefusal, or what it was given */
export const notUsable =
  (url: string, atEndpoint: boolean) =>
  (error: unknown): never => {
    const { host } = new URL(url);
    if (error instanceof Unfetchable) throw notThere(host, error);
    if (!(error instanceof Unacceptable)) throw error;
    const message = { key: 'descriptionInvalid', values: { host } } as const;
    throw new PageRefusal(message, atEndpoint ? 401 : 400, {
      code: 'invalid_client',
      description: `client metadata at ${host} is not acceptable: ${error.message}`,
      forMaker: `The client metadata is not acceptable: ${error.message}.`,
      detail: `client metadata document: ${error.message}`,
    });
  };

/** What exactly happened on the way is not told: it may be about a network that is none of the reader's business. */
export function notThere(host: string, problem: Unfetchable): PageRefusal {
  const { message, retryAfterSeconds } = problem;
  const tooMany = problem instanceof TooManyFetches;
  const told = tooMany ? ({ key: 'tooMany' } as const) : away(host);
  return new PageRefusal(told, 503, {
    code: 'temporarily_unavailable',
    description: `client metadata could not be fetched from ${host}; try again after ${retryAfterSeconds} s`,
    detail: `client metadata document: ${message}`,
    retryAfterSeconds,
  });
}

const away = (host: string) => ({ key: 'descriptionAway', values: { host } }) as const;
