import { ourServer, peer } from '../contestants.ts';
import type { Row } from '../row.ts';

const request = { method: 'GET', path: '/healthz' } as const;

export default {
  name: 'GET /healthz',
  why: 'what our edge (host check, headers, routing, logging) costs on top of the framework',
  peer: 'koa hello',
  ours: ourServer(request),
  peerServer: peer('koa-hello.ts', request),
} satisfies Row;
