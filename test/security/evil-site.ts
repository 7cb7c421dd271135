import { startTestServer } from '../support/http-server.ts';

/** Somebody else's web pages: on 127.0.0.1 another site than ours, on localhost the same site and another origin. */
export interface EvilSite {
  readonly foreign: string;
  readonly neighbour: string;
  /** The address, below either origin, of a page with this content. */
  page(html: string): string;
  /** Queries of what was fetched from it beside its pages: what leaked. */
  readonly leaks: readonly string[];
  close(): Promise<void>;
}

export async function startEvilSite(): Promise<EvilSite> {
  const pages = new Map<string, string>();
  const leaks: string[] = [];
  const server = await startTestServer(({ url }, response) => {
    const html = pages.get(url.pathname);
    if (html === undefined && url.pathname !== '/favicon.ico') leaks.push(url.href);
    response.writeHead(html === undefined ? 404 : 200, { 'content-type': 'text/html' });
    response.end(html ?? '');
  });
  return {
    foreign: `http://127.0.0.1:${server.port}`,
    neighbour: `http://localhost:${server.port}`,
    page(html) {
      const path = `/page/${pages.size}`;
      pages.set(path, `<!doctype html><title>Win a prize</title><body>${html}`);
      return path;
    },
    leaks,
    close: server.close,
  };
}

/** A form that sends itself as soon as it is there. */
export function selfSubmitting(action: string, fields: Record<string, string>): string {
  const inputs = Object.entries(fields).map(
    ([name, value]) => `<input type="hidden" name="${name}" value="${value}">`,
  );
  return `<form method="post" action="${action}">${inputs.join('')}</form>
    <script>document.forms[0].submit()</script>`;
}
