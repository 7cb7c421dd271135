import type { NeonpanelInspector, Seen } from '../../../adapters/neonpanel/inspect.ts';
import {
  createRegistrations,
  MANAGEMENT_TOKEN_MS,
  type Registration,
} from '../../../adapters/neonpanel/registration.ts';
import { fail, type Finding, pass, warn } from '../findings.ts';
import type { Session } from '../session.ts';
import { dateTime } from '../table.ts';

interface Place {
  readonly inspector: NeonpanelInspector;
  /** Our callback. */
  readonly redirectUri: string;
  readonly authorizationEndpoint: string;
}

const REGISTER = 'npm run admin -- neonpanel register --again';

/** Whether NeonPanel knows our client with our very callback. */
export async function clientFindings(
  { config, store, secrets, now }: Pick<Session, 'config' | 'store' | 'secrets' | 'now'>,
  place: Place,
): Promise<Finding[]> {
  const registrations = createRegistrations({ store, secrets });
  const entry = await registrations.read();
  const registration = entry && (await registrations.open(entry));
  const clientId = config.neonpanel.clientId ?? registration?.clientId;
  const isLost = entry !== undefined && registration === undefined;
  if (clientId === undefined && isLost) return [fail('client', `${LOST}: nobody can log in`, OPEN)];
  if (clientId === undefined) {
    const detail =
      'none is configured and none was registered yet: that happens at the first login';
    return [warn('client', detail, 'npm run admin -- neonpanel register')];
  }
  const managed = registration?.clientId === clientId ? registration : undefined;
  const lost = isLost
    ? [warn('registration token', `${LOST}; it was needed for changes only`, OPEN)]
    : [];
  const findings = managed ? [managementFinding(managed, now())] : [];
  const known = managed && (await askManagement(managed, place, now()));
  return [known ?? (await askByProbe(clientId, place)), ...findings, ...lost];
}

const LOST = 'a client was registered, and none of the MASTER_KEYS opens its record';
const OPEN = `add the master key that it was sealed with to MASTER_KEYS, at its end; else ${REGISTER}`;

const endOf = ({ registeredAt = 0 }: Registration) => registeredAt + MANAGEMENT_TOKEN_MS;

function managementFinding(registration: Registration, now: number): Finding {
  const end = endOf(registration);
  return end > now
    ? pass('registration token', `kept, good until ${dateTime(end)}`)
    : pass(
        'registration token',
        `kept, over since ${dateTime(end)}; it was needed for changes only`,
      );
}

/** RFC 7592 §2.1. @returns undefined if that says nothing about the client */
async function askManagement(
  registration: Registration,
  { inspector, redirectUri }: Place,
  now: number,
): Promise<Finding | undefined> {
  const { clientId, managementUri, managementToken } = registration;
  if (!managementUri || !managementToken || endOf(registration) <= now) return undefined;
  const headers = { authorization: `Bearer ${managementToken}` };
  const { status, json } = await inspector.see(managementUri, { headers });
  if (status === 404) return unknownClient(clientId);
  if (status !== 200 || !Array.isArray(json?.redirect_uris)) return undefined;
  return json.redirect_uris.includes(redirectUri)
    ? pass('client', `${clientId} is registered with ${redirectUri}`)
    : wrongRedirect(clientId, redirectUri);
}

/**
 * Without a token the authorization endpoint is asked, as by a browser that has just been sent there. It counts only if the
 * answer to another callback differs: some servers show a login page to everybody.
 */
async function askByProbe(clientId: string, place: Place): Promise<Finding> {
  const { inspector, redirectUri, authorizationEndpoint } = place;
  const probe = (client: { clientId: string; redirectUri: string }) =>
    inspector.probe(authorizationEndpoint, client);
  const [ours, elsewhere, nobody] = await Promise.all([
    probe({ clientId, redirectUri }),
    probe({ clientId, redirectUri: `${redirectUri}/not-registered` }),
    probe({ clientId: `${clientId}-unknown`, redirectUri }),
  ]);
  if (isWelcome(ours)) {
    return isWelcome(elsewhere) || isWelcome(nobody)
      ? warn('client', 'NeonPanel lets everybody begin a login, so whether it knows us is not seen')
      : pass('client', `${clientId} is known with ${redirectUri}`);
  }
  if (ours.status === undefined || ours.status >= 500) {
    const found = ours.problem ?? `HTTP ${ours.status}`;
    return fail('client', `the authorization endpoint could not be asked: ${found}`);
  }
  const error = ours.json?.error;
  if (error === 'invalid_client' || error === 'unauthorized_client') return unknownClient(clientId);
  const says = `${String(ours.json?.error_description ?? error ?? '')}`.slice(0, 120);
  return /redirect/i.test(`${String(error)} ${says}`)
    ? wrongRedirect(clientId, redirectUri)
    : fail('client', `NeonPanel refuses a login through it: HTTP ${ours.status} ${says}`.trim());
}

/** A login page, or the way to one; an error that is sent to our callback is a welcome, too. */
const isWelcome = ({ status }: Seen): boolean =>
  status !== undefined && (status === 200 || (status >= 300 && status < 400));

const unknownClient = (clientId: string): Finding =>
  fail('client', `NeonPanel does not know the client ${clientId}`, REGISTER);

const wrongRedirect = (clientId: string, redirectUri: string): Finding =>
  fail(
    'client',
    `${clientId} is not registered with the callback ${redirectUri}`,
    `register exactly this one there, or ${REGISTER}`,
  );
