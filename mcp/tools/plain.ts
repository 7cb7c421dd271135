/**
 * Text of somebody else's, made fit for one line of ours: no control or bidi characters, no line breaks, bounded.
 *
 * @param maxLength in characters; a longer text ends in …
 */
export function plain(text: string, maxLength: number): string {
  const line = text
    .slice(0, maxLength * 4)
    .replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
    .replace(/\s+/g, ' ')
    .trim();
  return line.length > maxLength ? `${line.slice(0, maxLength - 1)}…` : line;
}

/** What gives away the inside of a server: markup, code, class names, stack traces, addresses, keys. */
const INTERNALS =
  /[<>{}\\`]|:\/\/|::|SQLSTATE|exception|stack ?trace|\.php\b|vendor\/|[\w\-.~+/=]{40,}/i;

/**
 * A sentence of NeonPanel's that may be shown: a validation message, or the reason a document was refused. Undefined
 * for anything that looks like the inside of a server rather than a sentence for a user.
 */
export function sentence(text: string): string | undefined {
  const line = plain(text, 200);
  return line === '' || INTERNALS.test(line) ? undefined : line;
}
