import { oauthRefusal } from '../errors.ts';

/** Parameters of an OAuth request; an empty value counts as absent, as RFC 6749 §3.1 wants. */
export type Form = Record<string, string | undefined>;

/** Reads parameters; one that is sent twice is refused (RFC 6749 §3.1, §3.2). */
export function readForm(text: string): Form {
  const form: Form = Object.create(null);
  for (const [name, value] of new URLSearchParams(text)) {
    if (name in form) {
      throw oauthRefusal('invalid_request', 'A parameter is sent more than once.');
    }
    form[name] = value || undefined;
  }
  return form;
}
