import type { Staged } from '../../../keys/key-record.ts';
import { createRotation, type Rotation } from '../../../keys/rotation.ts';
import { StageError } from '../../../keys/stages.ts';
import { StoreUnavailable } from '../../../errors.ts';
import { AdminError } from '../../errors.ts';
import type { Session } from '../session.ts';

/** The keys as they are in the store now, and what can change them. @throws AdminError before the first start */
export async function keysOf(session: Session): Promise<{ rotation: Rotation; staged: Staged }> {
  const { store, secrets, config, now } = session;
  const rotation = createRotation({ store, secrets, times: config, now });
  const staged = await rotation.read();
  if (!staged) {
    throw new AdminError(
      'not_found',
      'There are no signing keys yet: the server makes them when it starts for the first time.',
    );
  }
  return { rotation, staged };
}

/**
 * Changes what was looked at.
 * @throws AdminError if that was not possible, or if nobody knows whether it was done
 */
export async function changed(change: () => Promise<Staged | undefined>): Promise<Staged> {
  let result: Staged | undefined;
  try {
    result = await change();
  } catch (error) {
    throw explained(error as Error);
  }
  if (result) return result;
  throw new AdminError(
    'conflict',
    'Somebody else changed the keys meanwhile, and nothing was done here. See `keys list`.',
  );
}

function explained(error: Error): Error {
  if (error instanceof StageError) return new AdminError('refused', error.message);
  if (!(error instanceof StoreUnavailable)) return error;
  return new AdminError(
    'failed',
    `The store stopped answering (${error.detail}); see with \`keys list\` whether it was done. ` +
      'Either way the keys are in order.',
  );
}
