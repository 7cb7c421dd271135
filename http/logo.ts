import { readFileSync } from 'node:fs';
import { ConfigError } from '../config.ts';
import type { Logo } from '../views/render.ts';

/** A logo is on every page. */
const MAX_LOGO_BYTES = 200 * 1024;
const PNG_SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/**
 * Reads BRAND_LOGO, once, at start.
 *
 * @throws ConfigError if it can't be read, is too large, or is not what its name says
 */
export function readLogo(path: string): Logo {
  const kind = /\.png$/i.test(path) ? 'png' : 'svg';
  const content = read(path);
  if (content.length > MAX_LOGO_BYTES) throw unusable('names a file that is too large');
  const isReal = kind === 'png' ? content.subarray(0, 8).equals(PNG_SIGNATURE) : isSvg(content);
  if (!isReal) throw unusable(`names a file that is no ${kind.toUpperCase()}`);
  return { kind, content };
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    throw unusable('names a file that can not be read');
  }
}

/** The root may come after a declaration, a document type and comments. */
const isSvg = (content: Buffer): boolean =>
  /^(?:\uFEFF)?(?:\s|<\?[^>]*>|<!--[^]*?-->|<!DOCTYPE[^>]*>)*<svg[\s>]/i.test(
    content.toString('utf8'),
  );

const unusable = (problem: string) =>
  new ConfigError([
    {
      variable: 'BRAND_LOGO',
      problem,
      expected: `an SVG or PNG of at most ${MAX_LOGO_BYTES / 1024} KiB`,
    },
  ]);
