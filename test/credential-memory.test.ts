import { randomBytes } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { createGrants, type Grant, grantKey } from '../adapters/grants.ts';
import type { NeonpanelCredential } from '../adapters/neonpanel/neonpanel.ts';
import { createSecrets } from '../adapters/secrets.ts';
import { createVault } from '../adapters/vault.ts';
import { createLog } from '../log.ts';
import { createCredentials, GrantEnded } from '../mcp/credentials.ts';
import { createUnsavedCredentials } from '../mcp/unsaved-credentials.ts';
import { createMapStore } from './support/map-store.ts';

/**
 * What a process remembers of credentials: it saves opening a seal again, and is never a reason to believe in a grant. Here
 * with a clock of its own; over HTTP and on both stores in test/credentials.test.ts and test/exactly-once.
 */

const DAY = 86_400;
const callerOf = (grantId: string, accountId = '1') => ({
  grantId,
  accountId,
  clientId: 'client',
  issuedAt: 0,
  scopes: new Set<string>(),
});

function start() {
  let time = Date.now();
  const now = () => time;
  const store = createMapStore({ now });
  const grants = createGrants(store);
  const vault = createVault({ store, secrets: createSecrets([randomBytes(32)]) });
  const log = createLog('silent');
  let opened = 0;
  const unused = {} as never;
  const credentials = createCredentials({
    grants,
    vault: { ...vault, open: (...which) => (opened++, vault.open(...which)) },
    unsaved: createUnsavedCredentials(log),
    log,
    now,
    ending: unused,
    leases: unused,
    login: unused,
  });

  const sealed = (grantId: string, accessToken: string) => {
    const credential = {
      accessToken,
      refreshToken: 'invented',
      expiresAt: time + DAY * 1000,
    } as NeonpanelCredential;
    return vault.firstWrite(grantId, '1', credential, DAY);
  };
  async function connect(grantId: string, accessToken: string): Promise<void> {
    const grant: Grant = {
      clientId: 'client',
      accountId: '1',
      scope: 'neonpanel.read',
      rotatedAt: time,
      createdAt: time,
    };
    const put = JSON.stringify(grant);
    const write = { key: grantKey(grantId), expect: 'any', put, lifetime: DAY } as const;
    await store.commit([write, await sealed(grantId, accessToken)]);
  }

  return {
    grants,
    connect,
    tokenOf: (grantId: string, accountId?: string) =>
      credentials.accessToken(callerOf(grantId, accountId), time + 10_000),
    reseal: async (grantId: string, accessToken: string) =>
      store.commit([await sealed(grantId, accessToken)]),
    wait: (ms: number) => (time += ms),
    opened: () => opened,
  };
}

const GRANT = 'grant'.padEnd(43, '-');

test('[D7] a seal is opened once a minute, however many others come in between', async (t) => {
  const s = start();
  await s.connect(GRANT, 'first');
  t.is(await s.tokenOf(GRANT), 'first');
  const own = s.opened();
  for (let n = 0; n < 20; n++) {
    s.wait(900);
    const other = `other-${n}`.padEnd(43, '-');
    await s.connect(other, 'other');
    t.is(await s.tokenOf(other), 'other');
    t.is(await s.tokenOf(GRANT), 'first');
  }
  t.is(s.opened() - own, 20, 'those of the others');
  s.wait(60_000);
  t.is(await s.tokenOf(GRANT), 'first');
  t.is(s.opened() - own, 21, 'a minute later it is opened again');
});

test('[D7] what is remembered of a credential counts only under the seal that the store holds', async (t) => {
  const s = start();
  await s.connect(GRANT, 'first');
  t.is(await s.tokenOf(GRANT), 'first');
  await s.reseal(GRANT, 'second');
  s.wait(799);
  t.is(await s.tokenOf(GRANT), 'first', 'believed');
  s.wait(1);
  t.is(await s.tokenOf(GRANT), 'second');
  await s.reseal(GRANT, 'second');
  s.wait(800);
  t.is(await s.tokenOf(GRANT), 'second');
  t.is(s.opened(), 3, 'the same credential under another seal is opened, too');
});

const ended = (t: ExecutionContext, token: Promise<string>) =>
  t.throwsAsync(token, { instanceOf: GrantEnded });

test('[D7] a grant that has ended is not alive for what is remembered of it', async (t) => {
  const s = start();
  await s.connect(GRANT, 'first');
  t.is(await s.tokenOf(GRANT), 'first');
  await s.grants.revoke(GRANT);
  s.wait(800);
  await ended(t, s.tokenOf(GRANT));
  await s.connect(GRANT, 'second');
  t.is(await s.tokenOf(GRANT), 'second', 'nothing is left of the first');
});

test('[D7] another user who names the grant is given nothing of what is remembered', async (t) => {
  const s = start();
  await s.connect(GRANT, 'first');
  t.is(await s.tokenOf(GRANT), 'first');
  await ended(t, s.tokenOf(GRANT, '2'));
  t.is(await s.tokenOf(GRANT), 'first');
});

test('[D7] a clock that is set back makes nothing believed for longer', async (t) => {
  const s = start();
  await s.connect(GRANT, 'first');
  t.is(await s.tokenOf(GRANT), 'first');
  await s.reseal(GRANT, 'second');
  s.wait(-3_600_000);
  t.is(await s.tokenOf(GRANT), 'second');
  t.is(s.opened(), 2);
});
