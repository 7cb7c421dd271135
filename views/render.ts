import { Eta } from 'eta';
import { accountViews } from './account-pages.ts';
import { type Asset, createAssets } from './assets.ts';
import { gapOf, type Language, LANGUAGES } from './languages.ts';
import { emphasised } from './rich-text.ts';
import { fill, type MessageKey, TEXTS, type Texts, type ValuesOf } from './texts/texts.ts';
import { clockTime, minutesBetween } from './time.ts';

/** How the pages look, and what every one of them shows besides its own text. */
export interface Surroundings {
  readonly brand: string;
  /** Accent colour, `#rrggbb`; made lighter or darker until it can be read. */
  readonly color?: string | undefined;
  readonly logo?: Logo | undefined;
  /** Behind us is the sandbox, not NeonPanel. */
  readonly sandbox: boolean;
  readonly supportUrl?: string | undefined;
}

export interface Logo {
  readonly kind: 'svg' | 'png';
  readonly content: Uint8Array;
}

/** Who looks at a page. */
export interface Reader {
  readonly language: Language;
  /** The same address, asked again, shows the same page: it may be offered in other languages. */
  readonly canSwitch: boolean;
}

export interface ConsentPage {
  /** Where the answer goes: a host, or an app's scheme without colon. */
  readonly target: string;
  readonly targetKind: 'web' | 'loopback' | 'app';
  /** The app whose address that is, if it is on our list. */
  readonly verifiedApp: string | undefined;
  /** What the client calls itself; anyone can choose it. */
  readonly clientName: string | undefined;
  /** A well-known app that the client takes itself for, at an address that is not that app's. */
  readonly claimedApp: string | undefined;
  /** Where the client describes itself, if it does (a client metadata document). */
  readonly clientHost: string | undefined;
  readonly offersWrite: boolean;
  readonly neonpanelHost: string;
  /** Where connections are ended, in short. */
  readonly accountPlace: string;
  readonly action: string;
  readonly csrf: string;
  /** Epoch milliseconds. */
  readonly now: number;
  /** Epoch milliseconds. */
  readonly expiresAt: number;
  /** The form came without a decision. With the code for support. */
  readonly isMissingChoice?: { readonly supportCode: string } | undefined;
}

/** Something that did not work, told to people: what happened, and what to do now. */
export type Message = {
  [K in MessageKey]: { readonly key: K } & (keyof ValuesOf<K> extends never
    ? { readonly values?: undefined }
    : { readonly values: ValuesOf<K> });
}[MessageKey];

export interface MessagePage {
  readonly message: Message;
  /** Where to try again. */
  readonly retryAt?: string | undefined;
  /** For who made the app, in English. */
  readonly forMaker?: string | undefined;
  /** The request id: what a support person searches the log for. */
  readonly supportCode: string;
}

export interface HomePage {
  readonly mcpUrl: string;
  /** This server can serve right now. */
  readonly isReady: boolean;
  /** Whether NeonPanel answers; nothing is said of what is not known. */
  readonly neonpanel: 'ok' | 'unavailable' | 'unknown';
}

/**
 * One typed function per page: a reader and props in, HTML out. A page is a template, a function here, and its texts in
 * every language. Templates escape by default; texts with values in them go through `rich`, which escapes as well.
 */
export function createViews(surroundings: Surroundings) {
  const eta = new Eta({ views: import.meta.dirname, cache: true });
  const { assets, links } = createAssets(surroundings);
  const draw = (template: string, { language, canSwitch }: Reader, props: object) => {
    const texts = TEXTS[language];
    const gap = gapOf(language);
    const common = { ...surroundings, links, language, texts, gap, fill, rich: emphasised };
    return eta.render(template, { ...common, languages: canSwitch && LANGUAGES, ...props });
  };
  return {
    consent(reader: Reader, page: ConsentPage): string {
      const { language } = reader;
      const { title, problem, appTarget } = TEXTS[language].consent;
      const scheme = page.targetKind === 'app' ? page.target : '';
      return draw('./consent', reader, {
        title: page.isMissingChoice ? `${problem} – ${title}` : title,
        ...page,
        scheme,
        target: scheme === '' ? page.target : fill(appTarget, { scheme }),
        expires: {
          minutes: minutesBetween(page.now, page.expiresAt, language),
          time: clockTime(page.expiresAt, language),
        },
      });
    },
    message(reader: Reader, { message, ...page }: MessagePage): string {
      const text = TEXTS[reader.language].messages[message.key];
      const title = fill(text.title, message.values);
      return draw('./message', reader, { title, text, values: message.values, ...page });
    },
    home(reader: Reader, page: HomePage): string {
      const texts = TEXTS[reader.language].home;
      const guides = guidesFor(page.mcpUrl, texts);
      return draw('./home', reader, { title: texts.title, guides, ...page });
    },
    ...accountViews(draw),
    /** What our pages load, by path. */
    assets: assets as ReadonlyMap<string, Asset>,
  };
}

export type Views = ReturnType<typeof createViews>;

/** A message for programs, which are spoken to in English and in ASCII (RFC 6749 §5.2). */
export function inEnglish({ key, values }: Message): string {
  const { title, text, todo } = TEXTS.en.messages[key];
  return fill(`${title}. ${text} ${todo}`, values)
    .replaceAll('’', "'")
    .replaceAll(/[“”]/g, '"')
    .replaceAll('…', '...');
}

/** How each app is connected, and what is copied into it if it is not just the address. */
const guidesFor = (url: string, texts: Texts['home']): readonly Guide[] => [
  { app: 'ChatGPT', how: texts.chatgpt },
  { app: 'Claude', how: texts.claude },
  {
    app: 'Claude Code',
    how: texts.claudeCode,
    code: `claude mcp add --transport http neonpanel ${url}`,
  },
  {
    app: 'Cursor',
    how: texts.cursor,
    code: JSON.stringify({ mcpServers: { neonpanel: { url } } }, null, 2),
  },
  {
    app: 'VS Code',
    how: texts.vscode,
    code: `code --add-mcp '${JSON.stringify({ name: 'neonpanel', type: 'http', url })}'`,
  },
  { app: texts.othersName, how: texts.others, code: `npx mcp-remote ${url}` },
];

interface Guide {
  readonly app: string;
  readonly how: string;
  readonly code?: string;
}
