import { createServer } from 'node:http';
import { Pool } from 'undici';

/** A pass-through proxy: what one hop costs when nothing is looked at. Everything goes to UPSTREAM_TARGET. */
const target = new URL(process.env['UPSTREAM_TARGET']!);
const pool = new Pool(target.origin, { connections: 64, pipelining: 1 });

createServer((request, response) => {
  request.resume();
  pool
    .request({
      path: target.pathname + target.search,
      method: 'GET',
      headers: { authorization: request.headers.authorization ?? '' },
    })
    .then(({ statusCode, headers, body }) => {
      response.writeHead(statusCode, { 'content-type': String(headers['content-type']) });
      body.pipe(response);
    })
    .catch(() => response.writeHead(502).end());
}).listen(Number(process.env['PORT']));
