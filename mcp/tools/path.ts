import { Refusal } from '../../errors.ts';

/** What an id may look like: 40 hex digits, UUIDs, integers, permission names. Never a dot segment. */
const SEGMENT = /^[A-Za-z0-9]+(?:[:._-]+[A-Za-z0-9]+)*$/;
const MAX_SEGMENT_LENGTH = 128;

/**
 * The only place where an API path is put together. Every segment is checked and encoded, so that no argument can
 * name another resource than the one its tool is for.
 *
 * @throws Refusal when a segment is not an identifier
 */
export function pathOf(...segments: readonly (string | number)[]): string {
  return segments.map((segment) => `/${encoded(checked(String(segment)))}`).join('');
}

/** A colon may stand in a path as it is (RFC 3986 §3.3), and does in the names of permissions. */
const encoded = (segment: string): string => encodeURIComponent(segment).replaceAll('%3A', ':');

function checked(segment: string): string {
  if (segment.length > MAX_SEGMENT_LENGTH || segment.includes('..') || !SEGMENT.test(segment)) {
    throw new Refusal(
      'invalid_identifier',
      400,
      'An identifier contains characters that no id has.',
    );
  }
  return segment;
}
