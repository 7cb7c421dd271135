import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { accentsOf } from './accent.ts';

export interface Asset {
  /** Media type. */
  readonly type: string;
  readonly body: string | Buffer;
}

/** Where pages find what they load. */
export interface AssetLinks {
  readonly stylesheet: string;
  readonly icon: string;
  readonly logo: string;
  readonly script: string;
}

/** The accent of our own files; a brand's takes its place. */
const OWN_ACCENT = '#0b5cad';

/**
 * Everything our pages load, from this server alone: one stylesheet, one script, the icon and a logo. Links carry a hash
 * of the content, so that a page never meets the stylesheet of another version in a cache.
 */
export function createAssets(brand: {
  readonly color?: string | undefined;
  readonly logo?: { readonly kind: 'svg' | 'png'; readonly content: Uint8Array } | undefined;
}): { assets: Map<string, Asset>; links: AssetLinks } {
  const { color, logo } = brand;
  const assets = new Map<string, Asset>();
  const add = (name: string, type: string, body: string | Buffer): string => {
    const path = `/assets/${name}`;
    assets.set(path, { type, body });
    return `${path}?v=${createHash('sha256').update(body).digest('hex').slice(0, 8)}`;
  };
  const icon = add('icon.svg', SVG, own('icon.svg').replace(OWN_ACCENT, color ?? OWN_ACCENT));
  const links: AssetLinks = {
    stylesheet: add('style.css', 'text/css', own('style.css') + (color ? accentRules(color) : '')),
    script: add('copy.js', 'text/javascript', own('copy.js')),
    icon,
    logo: logo
      ? add(`logo.${logo.kind}`, logo.kind === 'svg' ? SVG : 'image/png', Buffer.from(logo.content))
      : icon,
  };
  return { assets, links };
}

const SVG = 'image/svg+xml';
const own = (name: string): string => readFileSync(`${import.meta.dirname}/${name}`, 'utf8');

function accentRules(color: string): string {
  const { light, dark } = accentsOf(color);
  const root = ({ accent, text }: { accent: string; text: string }) =>
    `:root { --accent: ${accent}; --accent-text: ${text}; }`;
  return `\n${root(light)}\n@media (prefers-color-scheme: dark) { ${root(dark)} }\n`;
}
