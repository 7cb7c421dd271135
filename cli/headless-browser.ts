/**
 * Just enough of a browser to walk through a sign-in without a person: cookies by host and path, redirects, and forms.
 * For the demo and for trying out a running server; it never runs scripts, and no page of ours needs any.
 */
export interface Page {
  readonly url: URL;
  readonly status: number;
  readonly html: string;
  readonly headers: Headers;
}

interface Cookie {
  readonly name: string;
  readonly value: string;
  readonly path: string;
}

const MAX_REDIRECTS = 20;

/**
 * @param stopAt the address whose visit is the goal, e.g. a client's redirect URI: it is reported, not fetched
 * @param fetch how it gets a page; it must leave redirects to the browser
 */
export function createHeadlessBrowser(
  stopAt: (url: URL) => boolean,
  fetch: typeof globalThis.fetch = globalThis.fetch,
) {
  const jars = new Map<string, Map<string, Cookie>>();

  /** Follows redirects. @throws if there is no end to them */
  async function visit(address: string | URL, form?: URLSearchParams): Promise<Page> {
    let url = new URL(address);
    let body = form;
    for (let hop = 0; hop < MAX_REDIRECTS; hop++) {
      if (stopAt(url)) return { url, status: 0, html: '', headers: new Headers() };
      const response = await fetch(url, {
        method: body ? 'POST' : 'GET',
        redirect: 'manual',
        headers: {
          accept: 'text/html,application/xhtml+xml',
          cookie: cookiesFor(url),
          ...(body && { origin: url.origin, 'sec-fetch-site': 'same-origin' }),
        },
        ...(body && { body }),
      });
      remember(url, response.headers.getSetCookie());
      const location = response.headers.get('location');
      const html = await response.text();
      if (!location) return { url, status: response.status, html, headers: response.headers };
      url = new URL(location, url);
      body = undefined;
    }
    throw new Error(`more than ${MAX_REDIRECTS} redirects, last to ${url.origin}${url.pathname}`);
  }

  /** Fills in the page's first form and presses a button. @throws if the page has no form */
  function submit(page: Page, answers: Record<string, string>): Promise<Page> {
    const form = /<form\b([^>]*)>([\s\S]*?)<\/form>/i.exec(page.html);
    if (!form)
      throw new Error(`no form on ${page.url.origin}${page.url.pathname} (${page.status})`);
    const fields = new URLSearchParams();
    for (const [, attributes = ''] of form[2]!.matchAll(/<input\b([^>]*)>/gi)) {
      if (attribute(attributes, 'type') === 'hidden') {
        fields.set(attribute(attributes, 'name') ?? '', attribute(attributes, 'value') ?? '');
      }
    }
    for (const [name, value] of Object.entries(answers)) fields.set(name, value);
    return visit(new URL(attribute(form[1]!, 'action') ?? '', page.url), fields);
  }

  return { visit, submit };

  function cookiesFor(url: URL): string {
    return [...(jars.get(url.host)?.values() ?? [])]
      .filter(
        ({ path }) => url.pathname === path || url.pathname.startsWith(path.replace(/\/?$/, '/')),
      )
      .map(({ name, value }) => `${name}=${value}`)
      .join('; ');
  }

  function remember(url: URL, setCookies: readonly string[]): void {
    const jar = jars.get(url.host) ?? new Map<string, Cookie>();
    jars.set(url.host, jar);
    for (const line of setCookies) {
      const [pair = '', ...attributes] = line.split(';').map((part) => part.trim());
      const [name = '', value = ''] = [
        pair.slice(0, pair.indexOf('=')),
        pair.slice(pair.indexOf('=') + 1),
      ];
      const path = attributes.find((a) => /^path=/i.test(a))?.slice(5) ?? '/';
      const gone = value === '' || attributes.some((a) => /^max-age=0$/i.test(a) || /1970/.test(a));
      if (gone) jar.delete(`${name} ${path}`);
      else jar.set(`${name} ${path}`, { name, value, path });
    }
  }
}

function attribute(attributes: string, name: string): string | undefined {
  const value = new RegExp(`\\b${name}="([^"]*)"`, 'i').exec(attributes)?.[1];
  return value?.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&amp;', '&');
}
