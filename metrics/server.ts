import type { RequestListener } from 'node:http';
import { listen, type Listening } from '../http/listen.ts';
import { createSockets } from '../http/sockets.ts';
import type { Log } from '../log.ts';

/** Connections of collectors. */
const COLLECTORS = { inAll: 100, perAddress: 100 };

/**
 * Serves /metrics on a port of its own, on loopback only: whoever may look collects from the machine itself, or through a
 * tunnel. There is nothing else there, and nothing for a page that calls its own name loopback (DNS rebinding). A port that
 * is taken is no reason not to serve: it is told in the log.
 *
 * @param expose the exposition, in the form that `contentType` names
 * @returns undefined if the port can't be had
 */
export async function serveMetrics(options: {
  port: number;
  log: Log;
  contentType: string;
  expose: () => Promise<string>;
}): Promise<Listening | undefined> {
  const { port, log, contentType, expose } = options;
  const serve: RequestListener = (req, res) => {
    // Nobody sends a body here.
    req.resume();
    const { method, url } = req;
    if (!isLoopback(req.headers.host)) return void res.writeHead(421).end();
    const isAsked = url?.split('?', 1)[0] === '/metrics';
    if (!isAsked || (method !== 'GET' && method !== 'HEAD')) return void res.writeHead(404).end();
    expose().then(
      (text) => {
        res.writeHead(200, { 'Content-Type': contentType, 'Cache-Control': 'no-store' });
        res.end(method === 'HEAD' ? undefined : text);
      },
      (err: unknown) => {
        log.error({ event: 'metrics', err });
        res.writeHead(500).end();
      },
    );
  };
  try {
    return await listen(serve, 'localhost', port, createSockets(COLLECTORS, log));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    log.warn({ event: 'metrics', port, problem: code ?? message });
    return undefined;
  }
}

/** A browser always says which name it asks; a tunnel may have any port. */
const isLoopback = (host = ''): boolean =>
  host === '' || /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i.test(host);
