/** The languages of our pages, each by its own name. The first is spoken to whoever asks for none of them. */
export const LANGUAGES = {
  en: 'English',
  de: 'Deutsch',
  fr: 'Français',
  es: 'Español',
  ja: '日本語',
} as const;

export type Language = keyof typeof LANGUAGES;

export const LANGUAGE_CODES = Object.keys(LANGUAGES) as Language[];

export const isLanguage = (code: unknown): code is Language =>
  typeof code === 'string' && Object.hasOwn(LANGUAGES, code);

/** What stands between two sentences. */
export const gapOf = (language: Language): string => (language === 'ja' ? '' : ' ');

/**
 * The first of several language ranges that we speak (RFC 4647 §3.4, lookup; ours are all without a region, so that a
 * range is as good as its first subtag).
 *
 * @param ranges such as `ja` or `de-CH-1996`, most wanted first
 */
export const lookUp = (ranges: readonly string[]): Language | undefined =>
  ranges.map((range) => range.split('-', 1)[0]!.toLowerCase()).find(isLanguage);
