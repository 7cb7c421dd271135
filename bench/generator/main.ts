import { adopt, connectAll, runFlow } from './flows.ts';
import { openLoop } from './open-loop.ts';
import type { Task } from './protocol.ts';
import { repeat } from './repeat.ts';

/** The load generator's process: does what it is told, one task after the other or several at once. */
process.on('message', ({ id, task }: { id: number; task: Task }) => {
  perform(task).then(
    (result) => process.send!({ id, result }),
    (error: unknown) => process.send!({ id, error: String((error as Error).stack ?? error) }),
  );
});
process.once('disconnect', () => process.exit(0));

function perform(task: Task): Promise<unknown> {
  if (task.kind === 'repeat') return repeat(task);
  if (task.kind === 'open') return openLoop(task);
  if (task.kind === 'flow') return runFlow(task);
  if (task.kind === 'adopt') return adopt(task);
  return connectAll(task);
}
