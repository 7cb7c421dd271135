/**
 * Import jobs, moved on by the clock alone: what a job is now follows from when it began.
 *
 *   JSON bill ──────────────────────────────────────────────> done
 *   PDF ──> queued (15 s) ──> processing (5 s) ──> done, or error for broken.pdf
 */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock.ts';
import type { Document } from '../data/model.ts';
import { documentLink } from '../data/documents.ts';
import { isoDay } from '../data/calendar.ts';
import { hexId } from '../data/random.ts';
import type { State } from '../state.ts';

export type Job = {
  companyUuid: string;
  type: string;
  createdAt: number;
  kind: 'json' | 'pdf';
  documents: Document[];
  fails: boolean;
};

export type JobStatus = {
  requestId: string;
  status: 'queued' | 'processing' | 'done' | 'error';
  /** Undefined when there is nothing to wait for. */
  retryAfterSeconds?: number;
  documents: Document[];
};

export type ImportJobs = {
  begin(job: Omit<Job, 'createdAt' | 'documents'>, refNumber: string | null): JobStatus;
  find(requestId: string, companyUuid: string, type: string): JobStatus | undefined;
};

const queuedSeconds = 15;
const processingSeconds = 5;
const jobMs = 7 * 86_400_000;

export function createImportJobs(state: State, now: Clock): ImportJobs {
  const jobs = state.table<Job>('jobs');
  return {
    begin(job, refNumber) {
      const requestId = randomUUID();
      const bill: Document = {
        type: 'Bill',
        link: documentLink('Bill', hexId(`import ${requestId}`)),
        status: 'Draft',
        completed: null,
        ref_number: refNumber,
        date: isoDay(now()),
      };
      const full: Job = { ...job, createdAt: now(), documents: job.fails ? [] : [bill] };
      jobs.put(requestId, full, now() + jobMs);
      return statusOf(requestId, full, now());
    },
    find(requestId, companyUuid, type) {
      const job = jobs.get(requestId);
      if (job?.companyUuid !== companyUuid || job.type !== type) return undefined;
      return statusOf(requestId, job, now());
    },
  };
}

function statusOf(requestId: string, job: Job, now: number): JobStatus {
  const ageSeconds = (now - job.createdAt) / 1000;
  if (job.kind === 'pdf' && ageSeconds < queuedSeconds) {
    return { requestId, status: 'queued', retryAfterSeconds: queuedSeconds, documents: [] };
  }
  if (job.kind === 'pdf' && ageSeconds < queuedSeconds + processingSeconds) {
    return { requestId, status: 'processing', retryAfterSeconds: processingSeconds, documents: [] };
  }
  return { requestId, status: job.fails ? 'error' : 'done', documents: job.documents };
}
