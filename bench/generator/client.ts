import { fork } from 'node:child_process';
import { join } from 'node:path';
import type { Adopt, Connect, Load, Task } from './protocol.ts';

/** The load generator: a process of its own, so that what it costs is not ours, and one for the whole run. */
export interface Generator {
  /** @throws when any answer is missing or not the one expected */
  load(task: Exclude<Task, Connect | Adopt>): Promise<Load>;
  connect(task: Connect | Adopt): Promise<string[]>;
  stop(): void;
}

export function startGenerator(): Generator {
  const child = fork(join(import.meta.dirname, 'main.ts'), { stdio: ['ignore', 2, 2, 'ipc'] });
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  let last = 0;
  child.on('message', ({ id, result, error }: { id: number; result?: unknown; error?: string }) => {
    const promise = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) promise?.resolve(result);
    else promise?.reject(new Error(error));
  });
  child.once('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`the generator ended: ${code}`));
  });
  const ask = (task: Task): Promise<unknown> => {
    const promise = Promise.withResolvers<unknown>();
    waiting.set(++last, promise);
    // Of one that was stopped meanwhile there is an error to hear, not an event that nobody does.
    child.send({ id: last, task }, (error) => error && promise.reject(error));
    return promise.promise;
  };
  return {
    load: (task) => ask(task) as Promise<Load>,
    connect: (task) => ask(task) as Promise<string[]>,
    stop: () => void child.kill(),
  };
}
