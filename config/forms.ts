import { isIP } from 'node:net';
import * as z from 'zod';

/** The building blocks of schema.ts: what a port, an origin, a list, a key looks like. */

/** Loopback names and addresses (RFC 6761 §6.3, RFC 1122 §3.2.1.3), as `URL.hostname` spells them. */
export function isLoopbackHostname(hostname: string): boolean {
  if (hostname === 'localhost' || hostname.endsWith('.localhost') || hostname === '[::1]')
    return true;
  return isIP(hostname) === 4 && hostname.startsWith('127.');
}

export const text = (accepts: (value: string) => boolean) => z.string().refine(accepts);

/** Whole numbers only; the bounds are part of what the operator is told. */
export function whole(min: number, max: number, about: string, fallback: number, unit = '') {
  return z
    .string()
    .regex(/^\d{1,10}$/)
    .transform(Number)
    .refine((n) => n >= min && n <= max)
    .prefault(String(fallback))
    .meta({
      about,
      expected: `a whole number${unit && ` of ${unit}`} from ${min} to ${max}`,
      example: String(fallback || max),
      fallback: String(fallback),
    });
}

export function flag(about: string) {
  return z
    .enum(['true', 'false'])
    .transform((v) => v === 'true')
    .prefault('false')
    .meta({ about, expected: 'true or false', example: 'true', fallback: 'false' });
}

export function oneOf<const T extends readonly [string, ...string[]]>(choices: T, about: string) {
  const expected = `one of ${choices.join(', ')}`;
  return z
    .enum(choices)
    .prefault(choices[0] as never)
    .meta({ about, expected, example: choices[choices.length - 1]!, fallback: choices[0] });
}

/** A comma-separated list without empty or repeated entries. */
export const list = (accepts: (entry: string) => boolean) =>
  z
    .string()
    .transform((value) => value.split(',').map((entry) => entry.trim()))
    .refine((entries) => entries.every(accepts) && new Set(entries).size === entries.length);

/** `https://host[:port]`, or http on a loopback host: everything we send secrets to is one of these. */
export function secureUrl(value: string): URL | undefined {
  const url = URL.parse(value);
  if (!url || url.username || url.password || value.includes('?') || value.includes('#')) return;
  const plain = url.protocol === 'http:' && isLoopbackHostname(url.hostname);
  return (url.protocol === 'https:' || plain) && /^https?:\/\//i.test(value) ? url : undefined;
}

export const isOrigin = (value: string): boolean => secureUrl(value)?.pathname === '/';
export const toOrigin = (value: string): string => new URL(value).origin;
export const withoutFinalSlash = (value: string): string => new URL(value).href.replace(/\/+$/, '');

export const PRINTABLE = /^[\x21-\x7e]+$/;
/** Readable text without control characters, line breaks or marks that reorder the line on a page. */
export const isLabel = (value: string): boolean =>
  /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{1,60}$/u.test(value);

/** Schemes a browser or the operating system gives a meaning of its own; a code must never be sent to one of them. */
export const FOREIGN_SCHEMES =
  /^(https?|wss?|ftps?|file|data|blob|about|javascript|vbscript|jar|filesystem|view-source|smb|nfs|ssh|telnet|ldaps?|mailto|tel|sms|search|search-ms|intent|chrome|chrome-.*|moz-extension|resource|edge|ms-.*|urn)$/;

/**
 * A 256-bit key in base64url. Returns undefined when the text is anything else; the round trip also refuses a key
 * whose last character was damaged.
 */
export function decodeKey(encoded: string): Uint8Array | undefined {
  const bytes = Buffer.from(encoded, 'base64url');
  return bytes.length === 32 && bytes.toString('base64url') === encoded ? bytes : undefined;
}

const REDIS_URL_FORM = /^rediss?:\/\/[^/?#\s]+(\/\d{0,2})?$/;
export const isRedisUrl = (value: string): boolean =>
  REDIS_URL_FORM.test(value) && Boolean(URL.parse(value)?.hostname);

/** A page that a browser may be sent to; a mailto: address is the other way to offer help. */
export function isSupportPage(value: string): boolean {
  const url = URL.parse(value);
  return url?.protocol === 'https:' && !url.username && !url.password;
}
