import { readFileSync } from 'node:fs';
import { Eta } from 'eta';

/** What every page shows besides its own text. */
export interface Surroundings {
  readonly brand: string;
  /** Behind us is the sandbox, not NeonPanel. */
  readonly sandbox: boolean;
  readonly supportUrl?: string | undefined;
}

export interface ConsentPage {
  /** Where the answer goes: a host, or an app's scheme. */
  readonly target: string;
  readonly targetKind: 'web' | 'loopback' | 'app';
  /** What the client calls itself; anyone can choose it. */
  readonly clientName: string | undefined;
  /** Where the client describes itself, if it does (a client metadata document). */
  readonly clientHost: string | undefined;
  readonly offersWrite: boolean;
  readonly neonpanelHost: string;
  readonly action: string;
  readonly csrf: string;
  readonly expiresAt: string;
}

export interface MessagePage {
  readonly title: string;
  readonly text: string;
  readonly action?: { readonly href: string; readonly label: string } | undefined;
  /** The request id: what a support person searches the log for. */
  readonly supportCode?: string;
}

export interface HomePage {
  readonly mcpUrl: string;
}

/** One typed function per page: props in, HTML out. Everything is escaped by default. */
export function createViews(surroundings: Surroundings) {
  const eta = new Eta({ views: import.meta.dirname, cache: true });
  const draw = (template: string, props: object) =>
    eta.render(template, { ...surroundings, ...props });
  return {
    consent: (page: ConsentPage): string => draw('./consent', { title: 'Connect', ...page }),
    message: (page: MessagePage): string => draw('./message', page),
    home: (page: HomePage): string => draw('./home', { title: 'Connect', ...page }),
    icon: readFileSync(`${import.meta.dirname}/icon.svg`, 'utf8'),
    stylesheet: readFileSync(`${import.meta.dirname}/style.css`, 'utf8'),
  };
}

export type Views = ReturnType<typeof createViews>;
