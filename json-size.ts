/**
 * How much there is in a text of JSON, found without parsing it: parsing, checking and writing JSON takes time for each
 * value in it, and all of that is spent in one piece, while everybody else waits. The text need not be valid.
 *
 * @param maxValues stops counting there
 * @returns the deepest nesting, and how many values (elements and members) there are, or more than `maxValues`
 */
export function sizeOf(text: string, maxValues = Infinity): { depth: number; values: number } {
  let depth = 0;
  let deepest = 0;
  let values = 1;
  let inString = false;
  for (let i = 0; i < text.length && values <= maxValues; i++) {
    const char = text.charCodeAt(i);
    if (inString) {
      if (char === BACKSLASH) i++;
      else if (char === QUOTE) inString = false;
    } else if (char === QUOTE) inString = true;
    else if (char === COMMA) values++;
    else if (char === OPEN_BRACE || char === OPEN_BRACKET) {
      values++;
      deepest = Math.max(deepest, ++depth);
    } else if (char === CLOSE_BRACE || char === CLOSE_BRACKET) depth--;
  }
  return { depth: deepest, values };
}

const QUOTE = 34;
const COMMA = 44;
const BACKSLASH = 92;
const OPEN_BRACE = 123;
const OPEN_BRACKET = 91;
const CLOSE_BRACE = 125;
const CLOSE_BRACKET = 93;
