import { connectNeonpanel } from '../../../adapters/neonpanel/connect.ts';
import { NeonpanelError } from '../../../adapters/neonpanel/neonpanel.ts';
import {
  createRegistrations,
  MANAGEMENT_TOKEN_MS,
  registerAt,
} from '../../../adapters/neonpanel/registration.ts';
import { PATHS } from '../../../auth/paths.ts';
import { AdminError } from '../../errors.ts';
import type { Session } from '../session.ts';
import { dateTime, iso } from '../table.ts';
import type { Change } from '../verbs.ts';

export interface RegisterOptions {
  readonly again?: boolean;
  readonly authMethod: 'none' | 'client_secret_post';
}

/**
 * `neonpanel register`
 *
 * @param configured NEONPANEL_CLIENT_ID as it is in the environment
 */
export async function registeredAtNeonpanel(
  session: Session,
  { again = false, authMethod }: RegisterOptions,
  configured: string | undefined,
): Promise<Change> {
  const { config, now } = session;
  const { url: neonpanelUrl } = config.neonpanel;
  const redirectUri = config.publicUrl + PATHS.callback;
  const registrations = createRegistrations(session);
  const entry = await registrations.read();
  const old = entry && (await registrations.open(entry));
  const isSame = old?.neonpanelUrl === neonpanelUrl && old.redirectUri === redirectUri;
  const known = configured ?? (isSame ? old.clientId : undefined);
  if (known && !again) {
    const message = `There is a client already: ${known}. With --again another one is registered; whoever is connected then signs in again.`;
    throw new AdminError('refused', message);
  }
  if (entry && !old && !again) {
    const message =
      'A client was registered, and none of the MASTER_KEYS opens its record: these are not the keys of this store. ' +
      'With --again another one is registered; whoever is connected then signs in again.';
    throw new AdminError('refused', message);
  }
  const replaced =
    known ?? (entry && !old ? 'the one whose record no master key opens' : undefined);
  const consequence = replaced
    ? `\nIt takes the place of ${replaced}: whoever is connected signs in again when their NeonPanel token ends.`
    : '';
  const text = `A client is registered at ${neonpanelUrl} with the callback ${redirectUri}.${consequence}`;
  return {
    plan: { text, json: { neonpanelUrl, redirectUri, authMethod, replaces: known ?? null } },
    async apply() {
      const neonpanel = connectNeonpanel({ ...session, redirectUri });
      try {
        const endpoint = (await neonpanel.metadata()).registration_endpoint!;
        const { fetch } = neonpanel;
        const terms = { fetch, neonpanelUrl, redirectUri, authMethod, now };
        const made = await registerAt(endpoint, terms);
        const expect = entry ? { version: entry.version } : 'absent';
        if (!(await registrations.keep(made, expect))) {
          const message = `Somebody else registered a client meanwhile. This one is not used: ${made.clientId}.`;
          throw new AdminError('conflict', message);
        }
        return described(made, now());
      } catch (error) {
        if (!(error instanceof NeonpanelError)) throw error;
        const status = error.status ? ` (HTTP ${error.status})` : '';
        throw new AdminError('failed', `${error.message}${status}.`);
      } finally {
        await neonpanel.close();
      }
    },
  };
}

function described(
  made: { clientId: string; clientSecret?: string; redirectUri: string },
  now: number,
) {
  const { clientId, clientSecret, redirectUri } = made;
  const environment = {
    NEONPANEL_CLIENT_ID: clientId,
    ...(clientSecret && { NEONPANEL_CLIENT_SECRET: clientSecret }),
  };
  const until = now + MANAGEMENT_TOKEN_MS;
  const lines = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const text = [
    ...lines,
    '',
    `Put this into the environment of every instance. The registration token is kept, sealed; NeonPanel takes it until ${dateTime(until)}.`,
  ].join('\n');
  const json = { environment, redirectUri, managementUntil: iso(until) };
  return { report: { text, json }, facts: { neonpanel_client: clientId } };
}
