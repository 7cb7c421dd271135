/**
 * A brand's colour, made readable: links and buttons are painted with it, on light and on dark grounds, so it is mixed
 * with black or white until it stands out enough (WCAG 2.2, 1.4.3: 4.5 to 1).
 */
export interface Accent {
  readonly accent: string;
  /** Of what is written on the accent. */
  readonly text: string;
}

type Rgb = readonly [number, number, number];

/** Of the grounds in style.css those that leave the least contrast. */
const LIGHT_GROUND: Rgb = [0xf3, 0xf5, 0xf8];
const DARK_GROUND: Rgb = [0x1f, 0x26, 0x30];
const BLACK: Rgb = [0x0d, 0x11, 0x17];
const WHITE: Rgb = [0xff, 0xff, 0xff];
/** A little above what is asked for, because colours are rounded. */
const ENOUGH = 4.6;

/** @param color `#rrggbb` */
export function accentsOf(color: string): { light: Accent; dark: Accent } {
  const rgb = parse(color);
  return { light: readable(rgb, LIGHT_GROUND, BLACK), dark: readable(rgb, DARK_GROUND, WHITE) };
}

function readable(color: Rgb, ground: Rgb, towards: Rgb): Accent {
  let accent = color;
  for (let share = 0; share <= 100 && contrast(accent, ground) < ENOUGH; share++) {
    accent = mix(color, towards, share / 100);
  }
  // One of the two always has 4.5 and more.
  const text = contrast(accent, WHITE) >= contrast(accent, BLACK) ? WHITE : BLACK;
  return { accent: toHex(accent), text: toHex(text) };
}

/** WCAG 2.2, contrast ratio: from 1 to 21. */
export function contrast(a: Rgb, b: Rgb): number {
  const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

/** WCAG 2.2, relative luminance. */
function luminance(color: Rgb): number {
  const [r, g, b] = color.map((channel) => {
    const part = channel / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

const mix = (a: Rgb, b: Rgb, share: number): Rgb =>
  a.map((channel, i) => Math.round(channel + (b[i]! - channel) * share)) as unknown as Rgb;

export const parse = (color: string): Rgb =>
  [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16)) as unknown as Rgb;

const toHex = (color: Rgb): string =>
  `#${color.map((channel) => channel.toString(16).padStart(2, '0')).join('')}`;
