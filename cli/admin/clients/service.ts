import { type Grant, grantKey } from '../../../adapters/grants.ts';
import type { NeonpanelCredential } from '../../../adapters/neonpanel/neonpanel.ts';
import type { Expectation, Write } from '../../../adapters/store.ts';
import { createVault } from '../../../adapters/vault.ts';
import { READ, RESOURCE_SCOPES, WRITE } from '../../../resource.ts';
import { AdminError } from '../../errors.ts';
import type { Session } from '../session.ts';

/** What making a service client and connecting it anew have in common. */

/** Write implies read. @throws AdminError for anything that is no scope of the resource */
export function scopeOf(text: string): string {
  const asked = new Set(text.split(/[\s,]+/).filter(Boolean));
  if (asked.has(WRITE)) asked.add(READ);
  const known = RESOURCE_SCOPES.filter((scope) => asked.has(scope));
  if (known.length === 0 || known.length < asked.size) {
    throw new AdminError('usage', `--scope takes ${RESOURCE_SCOPES.join(' and ')}.`);
  }
  return known.join(' ');
}

/** Whom NeonPanel takes a service client for, as its plan says it. */
export const atNeonpanel = ({ service }: NeonpanelCredential) => ({
  neonpanelClient: service!.clientId,
  neonpanelSubject: service!.subject,
});

/** The grant and the sealed credential behind it, for one commit. @param expect of the grant */
export async function connectionOf(
  { store, secrets }: Session,
  grant: Grant,
  credential: NeonpanelCredential,
  expect: Expectation,
): Promise<Write[]> {
  const { clientId, accountId } = grant;
  const vault = createVault({ store, secrets });
  return [
    { key: grantKey(clientId), expect, put: JSON.stringify(grant), lifetime: 'forever' },
    await vault.firstWrite(clientId, accountId, credential, 'forever'),
  ];
}
