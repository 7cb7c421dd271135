/**
 * Reads an address that a client gave us, in its canonical spelling only: what a parser would silently change (case, dot
 * segments, backslashes, control characters) is refused, so that what is compared as text and shown to people is where
 * the browser, or we, really go. What such an address may be beside that is for its readers to say.
 *
 * @param raw as sent
 * @param options.maxLength in characters
 * @param options.bareAuthority whether the slash that ends a mere `https://host` may be missing
 * @returns the address, or what is wrong with it in a few words
 */
export function readCanonicalUri(
  raw: unknown,
  options: { readonly maxLength: number; readonly bareAuthority?: boolean },
): URL | string {
  const { maxLength, bareAuthority = false } = options;
  if (typeof raw !== 'string') return 'must be a string';
  if (raw.length > maxLength) return `must not be longer than ${maxLength} characters`;
  if (!/^[\x21-\x7e]+$/.test(raw)) return 'must be printable ASCII without spaces';
  if (/[\\<>"`{}|^]/.test(raw)) return 'contains a character that is not allowed in a URI';
  if (/%(?![0-9a-f]{2})/i.test(raw)) return 'contains a percent sign that encodes nothing';
  if (/%([01][0-9a-f]|7f)/i.test(raw)) return 'must not contain encoded control characters';
  const url = URL.parse(raw);
  if (!url) return 'must be an absolute URI';
  if (raw.includes('#')) return 'must not contain a fragment';
  if (url.username || url.password || /^[^/]*\/\/[^/?]*@/.test(raw)) {
    return 'must not contain userinfo';
  }
  const lacksSlash = url.pathname === '/' && url.href === `${raw}/`;
  if (url.href !== raw && !(bareAuthority && lacksSlash)) return 'must be in canonical form';
  return url;
}
