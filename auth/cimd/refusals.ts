import { Unacceptable } from '../../adapters/document-cache.ts';
import { Unfetchable } from '../../adapters/guarded-fetch.ts';
import { PageRefusal } from '../page-refusals.ts';

/**
 * Why a client that is an address can't be served: to a person who authorizes it in one way, to programs, which can't
 * reload a page, in another. An endpoint says `invalid_client` (401) only if the document itself does: a client drops its
 * tokens then.
 */

/** @param atEndpoint the client speaks to us itself (RFC 6749 §5.2) */
export const notAnAddress = (problem: string, atEndpoint: boolean) =>
  new PageRefusal(
    {
      title: 'This app can’t be recognised',
      text: `Its client_id is meant to be the address of its description, but it ${problem}. Tell the maker of the app.`,
    },
    atEndpoint ? 401 : 400,
    {
      code: 'invalid_client',
      description: `client_id as the address of a client metadata document ${problem}`,
      detail: `client_id ${problem}`,
    },
  );

export const notOpen = () =>
  new PageRefusal(
    {
      title: 'This app is not allowed here',
      text: 'Only apps that were set up beforehand may connect. Ask whoever runs this service.',
    },
    400,
    {
      code: 'invalid_client',
      description: 'client metadata documents of new clients are not accepted here',
      detail: 'REGISTRATION is not open',
    },
  );

/** To be given to `catch` where a document or a key set is fetched. @throws PageRefusal, or what it was given */
export const notUsable =
  (url: string, atEndpoint: boolean) =>
  (error: unknown): never => {
    const { host } = new URL(url);
    if (error instanceof Unfetchable) throw notThere(host, error);
    if (!(error instanceof Unacceptable)) throw error;
    throw new PageRefusal(
      {
        title: 'This app’s description is not valid',
        text: `What ${host} says about the app can’t be accepted: ${error.message}. Tell the maker of the app, or try again when they have corrected it.`,
      },
      atEndpoint ? 401 : 400,
      {
        code: 'invalid_client',
        description: `client metadata at ${host} is not acceptable: ${error.message}`,
        detail: `client metadata document: ${error.message}`,
      },
    );
  };

/** What exactly happened on the way is not told: it may be about a network that is none of the reader's business. */
export const notThere = (host: string, { message, retryAfterSeconds }: Unfetchable) =>
  new PageRefusal(
    {
      title: 'The app’s description can’t be loaded right now',
      text: `This service asked ${host} about the app and got no usable answer. Reload this page in a minute. If it keeps happening, tell the maker of the app.`,
    },
    503,
    {
      code: 'temporarily_unavailable',
      description: `client metadata could not be fetched from ${host}; try again after ${retryAfterSeconds} s`,
      detail: `client metadata document: ${message}`,
      retryAfterSeconds,
    },
  );
