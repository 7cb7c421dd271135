import { constants, fstatSync, openSync, write, writeSync } from 'node:fs';

/** Lines waiting for a slow reader; what comes on top of them is dropped, so that memory stays bounded. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;
const RETRY_MS = 10;
/** Lines are gathered for so long: a write of each alone would take longer than making it. */
const GATHER_MS = 5;

/**
 * Stdout that nobody ever waits for and that never fails: with a full disk or a reader that has stalled or gone, lines
 * are lost and requests go on. The first line that can be written again is followed by how many were lost.
 *
 * pino's own destination was tried: it retries a full disk for ever when the process wants to end.
 */
export const patientStdout = (): PatientStdout => (shared ??= openPatientStdout());

/** One for the process: two writers would tear each other's lines. */
let shared: PatientStdout | undefined;

export type PatientStdout = ReturnType<typeof openPatientStdout>;

function openPatientStdout() {
  const fd = openStdout();
  let waiting: string[] = [];
  let waitingBytes = 0;
  let writing = false;
  let lost = 0;
  let drained: (() => void)[] = [];

  const lostLine = (): string =>
    `${JSON.stringify({ level: 40, time: Date.now(), event: 'log', lost })}\n`;

  function next(): void {
    writing = waiting.length > 0;
    if (!writing) {
      for (const done of drained.splice(0)) done();
      return;
    }
    const lines = waiting;
    waiting = [];
    waitingBytes = 0;
    send(Buffer.from(lines.join('')), lines.length);
  }

  function send(bytes: Buffer, lines: number): void {
    write(fd, bytes, (error, written) => {
      if (error?.code === 'EAGAIN') {
        setTimeout(send, RETRY_MS, bytes, lines).unref();
        return;
      }
      if (error) lost += lines;
      else if (written < bytes.length) return send(bytes.subarray(written), lines);
      else if (lost > 0) {
        waiting.unshift(lostLine());
        lost = 0;
      }
      if (waiting.length > 0 && drained.length === 0) setTimeout(next, GATHER_MS);
      else next();
    });
  }

  process.once('exit', () => {
    try {
      if (waiting.length > 0) writeSync(fd, waiting.join(''));
    } catch {
      // Nobody is left to tell.
    }
  });

  return {
    write(line: string): void {
      if (waitingBytes + line.length > MAX_WAITING_BYTES) {
        lost += 1;
        return;
      }
      waiting.push(line);
      waitingBytes += line.length;
      if (writing) return;
      writing = true;
      setTimeout(next, GATHER_MS);
    },
    /** Calls back when nothing waits any more (pino's `log.flush`). */
    flush(done: () => void = () => {}): void {
      if (writing) drained.push(done);
      else done();
    },
  };
}

/**
 * A pipe is opened anew where the system allows it: without blocking, but for this writer alone. A write that blocks
 * would hold a thread of the pool for as long as the reader stalls, and the process could not exit.
 */
function openStdout(): number {
  try {
    if (fstatSync(1).isFIFO())
      return openSync('/proc/self/fd/1', constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    // Stdout as it is.
  }
  return 1;
}
