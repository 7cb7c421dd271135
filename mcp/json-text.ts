/** Levels of nesting in JSON that strangers send: parsers, validators and writers may recurse. */
export const MAX_DEPTH = 64;
/** Of JSON inside a text inside JSON. */
const MAX_INNER_CHARACTERS = 256_000;

/**
 * Put in the place of arguments that are no JSON object, nor a text of one. The transport would refuse them in words for
 * programmers; the tool does it in words that a model can use.
 */
export const UNREADABLE = { '(unreadable)': true } as const;

/** Whether a value is a JSON object (not a list, not null). */
export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * What a text of JSON holds that was sent in the place of a value.
 * @returns undefined if it is no JSON, too long, or nested too deep
 */
export function parseInner(text: string): unknown {
  if (text.length > MAX_INNER_CHARACTERS || depthOf(text) > MAX_DEPTH) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Deepest nesting, found without parsing: a parser or a validator may recurse, this does not. */
export function depthOf(text: string): number {
  let depth = 0;
  let deepest = 0;
  let inString = false;
  for (let i = 0; i < text.length; i++) {
    const char = text.charCodeAt(i);
    if (inString) {
      if (char === BACKSLASH) i++;
      else if (char === QUOTE) inString = false;
    } else if (char === QUOTE) inString = true;
    else if (char === OPEN_BRACE || char === OPEN_BRACKET) deepest = Math.max(deepest, ++depth);
    else if (char === CLOSE_BRACE || char === CLOSE_BRACKET) depth--;
  }
  return deepest;
}

const QUOTE = 34;
const BACKSLASH = 92;
const OPEN_BRACE = 123;
const OPEN_BRACKET = 91;
const CLOSE_BRACE = 125;
const CLOSE_BRACKET = 93;
