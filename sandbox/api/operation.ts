import type { Clock } from '../clock.ts';
import type { SandboxData } from '../data/index.ts';
import type { Books, User } from '../data/model.ts';
import type { ImportJobs } from './import-jobs.ts';
import type { Query } from './query.ts';

/** A request of a known user, read once; operations look at nothing else. */
export type Call = {
  /** Undefined for a service client that acts for nobody. */
  user: User | undefined;
  /** The companies this user may see. */
  books: Books[];
  params: Record<string, string>;
  query: Query;
  body: Buffer;
  contentType: string;
  /** Whether the caller would rather have text than JSON. */
  prefersText: boolean;
  data: SandboxData;
  jobs: ImportJobs;
  now: Clock;
};

/** What an operation answers when 200 and JSON do not say it all. */
export class Answer {
  readonly body: unknown;
  readonly status: number;
  readonly headers: Record<string, string>;

  constructor(body: unknown, status = 200, headers: Record<string, string> = {}) {
    this.body = body;
    this.status = status;
    this.headers = headers;
  }
}

export type Operation = {
  id: string;
  method: 'GET' | 'POST';
  /** Below /api/v1. */
  path: string;
  run(call: Call): object | Promise<object>;
};
