/**
 * A secret in every spelling in which it could turn up: as it is, percent-encoded, in JSON, hex, and base64 wherever it
 * begins within a longer text that was encoded.
 */
export function formsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const forms = [
    secret,
    encodeURIComponent(secret),
    encodeURIComponent(secret).toLowerCase(),
    JSON.stringify(secret).slice(1, -1),
    bytes.toString('hex'),
    bytes.toString('hex').toUpperCase(),
    [...secret].toReversed().join(''),
    ...[0, 1, 2].flatMap((offset) => {
      const base64 = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64url');
      // Characters at both ends also depend on what is beside them.
      const certain = base64.slice(offset === 0 ? 0 : offset + 1, -2);
      return [certain, certain.replaceAll('-', '+').replaceAll('_', '/')];
    }),
  ];
  return [...new Set(forms)];
}

/** Whether a text holds a secret in one of its forms. @returns the form */
export const formIn = (text: string, secret: string): string | undefined =>
  formsOf(secret).find((form) => text.includes(form));
