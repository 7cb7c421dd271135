import { isIP } from 'node:net';
import type { Context } from 'koa';

/**
 * Who asks, as far as limits are concerned: the address that our own outermost proxy appended to X-Forwarded-For
 * (TRUSTED_PROXY_HOPS), or the one the connection comes from. What stands further left in that header is only a claim.
 *
 * An IPv6 address counts by its first 64 bits: whoever has one of them has all of them.
 *
 * @returns an IPv4 address, or the first four groups of an IPv6 one with `::/64` behind them
 */
export function addressOf(ctx: Context): string {
  // koa takes as many entries from the right as there are hops (`maxIpsCount`); without hops there is no header any more
  // (origin.ts).
  const [claimed = ''] = ctx.ips;
  return networkOf(claimed) ?? networkOf(ctx.req.socket.remoteAddress ?? '') ?? 'unknown';
}

/** @returns undefined if it is no address */
export function networkOf(text: string): string | undefined {
  const address = withoutPort(text.trim());
  const [, embedded = address] = /^::ffff:([\d.]+)$/i.exec(address) ?? [];
  if (isIP(embedded) === 4) return embedded;
  const [unscoped = ''] = address.split('%');
  return isIP(unscoped) === 6 ? `${first64Bits(unscoped)}::/64` : undefined;
}

/** Some proxies append the port: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function withoutPort(text: string): string {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([\d.]+))(?::\d+)?$/.exec(text) ?? [];
  return bracketed ?? plain ?? text;
}

/** The WHATWG parser knows every way of writing an address, and writes it in one. */
function first64Bits(address: string): string {
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const rest = tail === '' ? [] : tail.split(':');
    while (groups.length + rest.length < 8) groups.push('0');
    groups.push(...rest);
  }
  return groups.slice(0, 4).join(':');
}
