import type { Language } from './languages.ts';
import type { Reader } from './render.ts';
import { fill, TEXTS } from './texts/texts.ts';
import { moment } from './time.ts';

/** What one user connected to one app, and how it is used. Times are epoch milliseconds. */
export interface ConnectionView {
  readonly canWrite: boolean;
  readonly createdAt: number;
  readonly usedAt: number | undefined;
  readonly calls: number;
  /** Leads to the confirmation. */
  readonly disconnectAt: string;
}

/** An app as far as it is known: by where the code went, and by what it calls itself. */
export interface AppFacts {
  /** A host, or an app's scheme without colon; undefined if nobody knows any more. */
  readonly target: string | undefined;
  readonly kind: 'web' | 'loopback' | 'app' | undefined;
  /** The app whose address that is, if it is on our list. */
  readonly verifiedApp: string | undefined;
  readonly name: string | undefined;
  /** Where the client describes itself, if it does. */
  readonly clientHost: string | undefined;
}

export interface AppView extends AppFacts {
  readonly connections: readonly ConnectionView[];
}

export interface EndedView extends AppFacts {
  readonly endedAt: number;
  readonly why: 'person' | 'app' | 'operator' | 'neonpanel' | 'replayed' | 'lost';
}

export interface AccountSignInPage {
  readonly action: string;
  readonly csrf: string;
  readonly neonpanelHost: string;
  /** How long one stays signed in. */
  readonly minutes: number;
  /** To somebody who was signed in in this browser before, or came too late. */
  readonly notice: 'over' | 'nothingDone' | 'tooLate' | undefined;
}

export interface AccountPage {
  readonly user: { readonly subject: string; readonly companies: readonly string[] };
  readonly apps: readonly AppView[];
  readonly ended: readonly EndedView[];
  readonly shown: number;
  readonly total: number;
  /** There are more than anybody keeps a list of. */
  readonly isIncomplete: boolean;
  readonly showAllAt: string;
  readonly disconnectAllAt: string;
  readonly signOutAt: string;
  readonly csrf: string;
}

interface Confirmation {
  readonly action: string;
  readonly cancelAt: string;
  readonly csrf: string;
}

/** @param draw a template in the reader's language */
export function accountViews(draw: (template: string, reader: Reader, props: object) => string) {
  return {
    accountSignIn(reader: Reader, page: AccountSignInPage): string {
      const { title } = TEXTS[reader.language].account;
      return draw('./account-sign-in', reader, { title, ...page });
    },
    account(reader: Reader, page: AccountPage): string {
      const { language } = reader;
      const { title } = TEXTS[language].account;
      const companies = new Intl.ListFormat(language).format(page.user.companies);
      const headings = headingsOf(page.apps, language);
      return draw('./account', reader, { title, ...page, companies, headings, ...forms(language) });
    },
    accountConfirm(
      reader: Reader,
      page: Confirmation & { app: AppFacts; createdAt: number },
    ): string {
      const { language } = reader;
      const text = TEXTS[language].account;
      const heading = text.confirmOne;
      const target = targetOf(language, heading.startsWith('{target}'))(page.app);
      const props = { title: fill(heading, { target }), heading, target, ...page };
      return draw('./account-confirm', reader, { ...props, ...forms(language) });
    },
    /** @param page.count undefined if it is not known */
    accountConfirmAll(reader: Reader, page: Confirmation & { count: number | undefined }): string {
      const heading = TEXTS[reader.language].account.confirmAll;
      const props = { title: heading, heading, target: '', app: undefined, ...page };
      return draw('./account-confirm', reader, { ...props, ...forms(reader.language) });
    },
  };
}

/** On one's own computer an address tells nothing: there the name comes first. @param leads it begins a sentence */
const targetOf =
  (language: Language, leads = true) =>
  ({ target, kind, name, clientHost }: AppFacts): string => {
    const { unknownApp, appTarget } = TEXTS[language].account;
    const ours = (text: string) => (leads ? text.charAt(0).toUpperCase() + text.slice(1) : text);
    if (target === undefined) return clientHost ?? name ?? ours(unknownApp);
    if (kind === 'app') return fill(ours(appTarget), { scheme: target });
    return kind === 'loopback' && name ? named(name, target) : target;
  };

const named = (what: string, more: string) => `${what} (${more})`;

/** A heading for each: where several go to one place, their names tell them apart. */
function headingsOf(apps: readonly AppFacts[], language: Language): string[] {
  const targets = apps.map(targetOf(language));
  return apps.map(({ name }, i) => {
    const target = targets[i]!;
    const isAlone = targets.filter((each) => each === target).length === 1;
    return isAlone || !name ? target : named(target, name);
  });
}

/** How things are put in a language. */
const forms = (language: Language) => ({
  targetOf: targetOf(language),
  moment: (at: number) => moment(at, language),
  number: (value: number) => new Intl.NumberFormat(language).format(value),
});
