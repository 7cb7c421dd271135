import { PLACEHOLDER } from './texts/texts.ts';

/** The element around a value: what matters stands out, and what somebody says about themselves is a quotation. */
const ELEMENTS: Readonly<Record<string, string>> = { name: 'q', minutes: 'span', time: 'span' };

/**
 * Puts values into the places of a text, each in an element of its own. Text and values are escaped.
 *
 * @param options.className of the elements around values
 * @returns HTML
 */
export const emphasised = (
  text: string,
  values: Readonly<Record<string, string>>,
  options: { className?: string } = {},
): string =>
  escapeHtml(text).replaceAll(PLACEHOLDER, (place, name: string) => {
    if (!Object.hasOwn(values, name)) return place;
    const element = ELEMENTS[name] ?? 'strong';
    const attributes = options.className ? ` class="${escapeHtml(options.className)}"` : '';
    return `<${element}${attributes}>${escapeHtml(values[name]!)}</${element}>`;
  });

const escapeHtml = (text: string): string =>
  text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character]!);

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
