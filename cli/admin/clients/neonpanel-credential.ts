import { connectNeonpanel } from '../../../adapters/neonpanel/connect.ts';
import { type NeonpanelCredential, NeonpanelError } from '../../../adapters/neonpanel/neonpanel.ts';
import { PATHS } from '../../../auth/paths.ts';
import { AdminError } from '../../errors.ts';
import type { Session } from '../session.ts';
import { readJsonFile } from './json-file.ts';

/**
 * The NeonPanel client that a service account works with: asked for, or from a file, and tried at once.
 *
 * @param file JSON with client_id and client_secret
 * @throws AdminError if there is none, or NeonPanel does not take it
 */
export async function neonpanelCredential(
  session: Session,
  file: string | undefined,
): Promise<NeonpanelCredential> {
  const client = file === undefined ? await ask(session) : read(file);
  const redirectUri = session.config.publicUrl + PATHS.callback;
  const neonpanel = connectNeonpanel({ ...session, redirectUri });
  try {
    return await neonpanel.login.signInService(client);
  } catch (error) {
    if (!(error instanceof NeonpanelError)) throw error;
    const { kind, message, status, detail } = error;
    const why = [message, status, detail].filter(Boolean).join(', ');
    throw kind === 'refused'
      ? new AdminError('refused', `NeonPanel does not take this credential (${why}).`)
      : new AdminError('failed', `The credential could not be tried at NeonPanel (${why}).`);
  } finally {
    await neonpanel.close();
  }
}

async function ask({ terminal }: Session) {
  if (!terminal.isInteractive) {
    const message =
      'Nobody is there to ask for the NeonPanel credential; give it with --neonpanel-credentials FILE.';
    throw new AdminError('usage', message);
  }
  const clientId = (await terminal.secret('client_id at NeonPanel')).trim();
  const clientSecret = (await terminal.secret('client_secret at NeonPanel')).trim();
  return complete(clientId, clientSecret, 'The answer');
}

function read(file: string) {
  const { client_id, client_secret } = Object(readJsonFile(file)) as Record<string, unknown>;
  return complete(client_id, client_secret, file);
}

function complete(clientId: unknown, clientSecret: unknown, where: string) {
  if (typeof clientId === 'string' && typeof clientSecret === 'string') {
    if (clientId !== '' && clientSecret !== '') return { clientId, clientSecret };
  }
  throw new AdminError('usage', `${where} needs a client_id and a client_secret.`);
}
