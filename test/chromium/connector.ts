import { startTestServer, type TestServer } from '../support/http-server.ts';
import type { Attempt } from '../support/oauth.ts';

/**
 * A web app that connects itself to us the way ChatGPT does: by sending its own page away, or in a window that it opens
 * and waits for. On 127.0.0.1, so that it is another site than ours on localhost.
 */
export interface Connector extends Pick<TestServer, 'close' | 'requests'> {
  readonly origin: string;
  readonly redirectUri: string;
  /** Its page for one authorization request, with the links `#redirect` and `#popup`. */
  pageFor(attempt: Attempt): string;
}

export async function startConnector(): Promise<Connector> {
  const server = await startTestServer(({ url }, response) => {
    const page = PAGES[url.pathname];
    response.writeHead(page ? 200 : 404, { 'content-type': 'text/html; charset=utf-8' });
    response.end(page?.(url) ?? '');
  });
  const origin = `http://127.0.0.1:${server.port}`;
  return {
    ...server,
    origin,
    redirectUri: `${origin}/callback`,
    pageFor: (attempt) => `${origin}/?to=${encodeURIComponent(attempt.url.href)}`,
  };
}

const escape = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');

const PAGES: Record<string, (url: URL) => string> = {
  '/': (url) => `<!doctype html><title>Connector</title><link rel="icon" href="data:,">
    <a id="redirect" href="${escape(url.searchParams.get('to')!)}">Connect</a>
    <a id="popup" href="${escape(url.searchParams.get('to')!)}">Connect in a window</a>
    <p id="result"></p>
    <script>
      document.querySelector('#popup').addEventListener('click', (event) => {
        event.preventDefault();
        window.open(event.target.href, 'connect', 'popup,width=600,height=700');
      });
      addEventListener('message', ({ origin, data }) => {
        if (origin === location.origin) document.querySelector('#result').textContent = data;
      });
    </script>`,
  '/callback': () => `<!doctype html><title>Connected</title><link rel="icon" href="data:,">
    <p id="result"></p>
    <script>
      document.querySelector('#result').textContent = location.search;
      if (opener) { opener.postMessage(location.search, location.origin); close(); }
    </script>`,
};
