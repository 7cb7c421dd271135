import type { IncomingHttpHeaders } from 'node:http';

/**
 * How long an answer says it may be kept (RFC 9111 §4.2, as a shared cache).
 *
 * @param now epoch milliseconds, for an Expires without Date
 * @returns seconds, 0 if it should not be kept at all, undefined if it does not say
 */
export function freshSeconds(headers: IncomingHttpHeaders, now: number): number | undefined {
  const control = (headers['cache-control'] ?? '').toLowerCase();
  if (/(?:^|[\s,])(?:no-store|no-cache|private)(?:$|[\s,=])/.test(control)) return 0;
  const age = Number(/^\d{1,10}$/.exec(String(headers.age ?? ''))?.[0] ?? 0);
  const stated = directive(control, 's-maxage') ?? directive(control, 'max-age');
  if (stated !== undefined) return Math.max(0, stated - age);
  if (headers.expires === undefined) return undefined;
  const expires = Date.parse(headers.expires);
  // An invalid date, 0 above all, means expired already (§5.3).
  if (Number.isNaN(expires)) return 0;
  const date = Date.parse(headers.date ?? '');
  return Math.max(0, Math.floor((expires - (Number.isNaN(date) ? now : date)) / 1000) - age);
}

function directive(control: string, name: string): number | undefined {
  const [, seconds] = new RegExp(`(?:^|[\\s,])${name}\\s*=\\s*"?(\\d{1,10})`).exec(control) ?? [];
  return seconds === undefined ? undefined : Number(seconds);
}
