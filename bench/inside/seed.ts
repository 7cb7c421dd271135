import { randomBytes } from 'node:crypto';
import { createGrants, type Grant, grantKey } from '../../adapters/grants.ts';
import { clientKey, type ClientRecord } from '../../adapters/clients.ts';
import { loadMasterKeys } from '../../adapters/master-keys.ts';
import { openStore } from '../../adapters/open-store.ts';
import { createSecrets } from '../../adapters/secrets.ts';
import { createVault } from '../../adapters/vault.ts';
import { mintRefreshToken } from '../../auth/refresh-token.ts';
import { loadConfig } from '../../config.ts';
import { createLog } from '../../log.ts';

/**
 * Writes live connections into the store of a server, with that server's environment and by its own adapters: client,
 * grant and sealed credential of each, like the one that is there already.
 *
 *   node bench/inside/seed.ts COUNT SAMPLES      prints SAMPLES of them, as JSON: client id and refresh token
 */
const [count = 0, samples = 0] = process.argv.slice(2).map(Number);
const config = loadConfig(process.env);
const store = await openStore(config.store, { log: createLog('silent'), now: Date.now });
const secrets = createSecrets(loadMasterKeys(config.masterKeys, config.dataDir));
const vault = createVault({ store, secrets });
const lifetime = config.refreshTokenTtlSeconds;

const model = await modelConnection();
const sampled: { clientId: string; refreshToken: string }[] = [];
const every = Math.max(1, Math.floor(count / samples));
const AT_A_TIME = 64;
for (let from = 0; from < count; from += AT_A_TIME) {
  const size = Math.min(AT_A_TIME, count - from);
  await Promise.all(Array.from({ length: size }, (_, i) => connect(from + i)));
}
process.stdout.write(JSON.stringify(sampled));
await store.close();

/** The first connection in the store, to be copied. */
async function modelConnection() {
  for await (const { grantId, grant } of createGrants(store).all()) {
    const [client] = await store.read(clientKey(grant.clientId));
    const found = await createGrants(store).findWithCredential(grantId);
    if (!client || !found?.credential) continue;
    const credential = await vault.open(grantId, grant.accountId, found.credential);
    if (credential) return { grant, client: JSON.parse(client.value) as ClientRecord, credential };
  }
  throw new Error('there is no connection to copy: connect one first');
}

async function connect(i: number): Promise<void> {
  const clientId = randomBytes(16).toString('base64url');
  const grantId = randomBytes(24).toString('base64url');
  const now = Date.now();
  // Each is somebody else's.
  const accountId = `seeded-${grantId}`;
  const grant: Grant = {
    ...model.grant,
    accountId,
    clientId,
    generation: 0,
    rotatedAt: now,
    createdAt: now,
    masterKey: secrets.masterKeyIds[0],
  };
  const metadata = { ...model.client.metadata, client_id: clientId };
  const client: ClientRecord = { ...model.client, metadata };
  await store.commit([
    { key: clientKey(clientId), expect: 'absent', put: JSON.stringify(client), lifetime },
  ]);
  await store.commit([
    { key: grantKey(grantId), expect: 'absent', put: JSON.stringify(grant), lifetime },
    await vault.firstWrite(grantId, accountId, model.credential, lifetime),
  ]);
  if (i % every === 0 && sampled.length < samples) {
    const refreshToken = mintRefreshToken(secrets, { grantId, generation: 0 });
    sampled.push({ clientId, refreshToken });
  }
}
