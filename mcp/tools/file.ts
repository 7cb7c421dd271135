import { isPublicHost } from '../../adapters/public-host.ts';

const MAX_LINK_LENGTH = 2048;
const MAX_NAME_LENGTH = 255;
/** Longer names than this are refused by the schema; the cut keeps what runs before that cheap. */
const MAX_CONSIDERED = 1000;

/**
 * Whether a link may be handed to NeonPanel, which downloads it; we never fetch or resolve it ourselves. The test is
 * of spelling alone: plain https, nothing that two URL parsers would read differently, no address inside a network.
 */
export function isAcceptableLink(link: string): boolean {
  // Visible ASCII without a backslash, and the authority right behind the two slashes.
  if (link.length > MAX_LINK_LENGTH || !/^https:\/\/[^/?#\\]/i.test(link)) return false;
  if (!/^[\x21-\x5b\x5d-\x7e]+$/.test(link)) return false;
  const authority = /^https:\/\/([^/?#]*)/i.exec(link)?.[1] ?? '';
  if (authority.includes('@')) return false;
  const url = URL.parse(link);
  return url !== null && isPublicHost(url.hostname);
}

/**
 * A file name reduced to `[A-Za-z0-9._ -]`, at most 255 characters, the extension kept. Empty when nothing usable is
 * left.
 */
export function safeFileName(name: string): string {
  const safe = name
    .slice(0, MAX_CONSIDERED)
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .replace(/[^A-Za-z0-9._ -]+/g, '_')
    .replace(/\.{2,}/g, '.')
    // Without the look-behind each dot of a long run would be tried as the beginning of the end.
    .replace(/^[. ]+|(?<![. ])[. ]+$/g, '');
  if (safe.length <= MAX_NAME_LENGTH) return safe;
  const extension = /\.[A-Za-z0-9]{1,10}$/.exec(safe)?.[0] ?? '';
  return safe.slice(0, MAX_NAME_LENGTH - extension.length) + extension;
}
