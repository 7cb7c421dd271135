import { join } from 'node:path';
import type { Contestant, Shot } from './row.ts';

/** Our server as `npm start` runs it, with SQLite and without limits or log, answering one kind of request. */
export function ourServer(request: Shot): Contestant {
  return {
    command: ['server.ts'],
    env: (port, directory) => ({
      PORT: String(port),
      DATA_DIR: directory,
      SQLITE_PATH: join(directory, 'store.db'),
      // A NeonPanel that is never asked, so that the sandbox is not measured with us.
      NEONPANEL_URL: 'http://localhost:9',
      RATE_LIMIT_FACTOR: '0',
      LOG_LEVEL: 'silent',
    }),
    readyPath: '/healthz',
    request,
  };
}

/** A file of peers/, which listens on PORT and answers 200 everywhere. */
export function peer(file: string, request: Shot): Contestant {
  return {
    command: [`bench/peers/${file}`],
    env: (port) => ({ PORT: String(port) }),
    readyPath: '/',
    request,
  };
}
