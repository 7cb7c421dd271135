import { Refusal } from '../../errors.ts';

/**
 * Nobody knows whether a change was carried out: the one thing a model must not answer by trying again.
 *
 * @param more.description other words, if these do not fit
 */
export class UnknownOutcome extends Refusal {
  constructor(more: { description?: string; detail?: string | undefined; cause?: unknown } = {}) {
    const { description = UNKNOWN, detail, cause } = more;
    super('unknown_outcome', 502, description, {
      ...(detail === undefined ? {} : { detail }),
      cause,
    });
  }
}

const UNKNOWN =
  'NeonPanel did not confirm the request, so it may or may not have been carried out. Do not repeat it: ask the user to check in NeonPanel whether the document exists first.';
