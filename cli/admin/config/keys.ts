import { statSync } from 'node:fs';
import { loadMasterKeys, masterKeyFile } from '../../../adapters/master-keys.ts';
import { SealBroken, type Secrets } from '../../../adapters/secrets.ts';
import type { Store } from '../../../adapters/store.ts';
import type { Config } from '../../../config.ts';
import { StoreUnavailable } from '../../../errors.ts';
import { openKeys, SIGNING_KEYS } from '../../../keys/key-record.ts';
import { fail, type Finding, pass } from '../findings.ts';
import { AS_SERVER } from '../place.ts';

interface MasterKeys {
  readonly keys: readonly Uint8Array[];
  readonly findings: Finding[];
}

/** The master keys as a server would have them, without making any. */
export function masterKeys({ masterKeys: configured, dataDir }: Config): MasterKeys {
  const file = masterKeyFile(dataDir);
  try {
    return loaded(configured, dataDir, file);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const fix =
      code === 'EACCES' || code === 'EPERM'
        ? AS_SERVER
        : `put the key back from a backup: 32 bytes, base64url. Without it what is in the store can't be opened`;
    return { keys: [OPENS_NOTHING], findings: [fail('master keys', message, fix)] };
  }
}

const OPENS_NOTHING = new Uint8Array(32);

function loaded(configured: Config['masterKeys'], dataDir: string, file: string): MasterKeys {
  if (!configured && !isThere(file)) {
    const detail = `none given; one is made at first start, in ${file}`;
    // Opens nothing, which is how it will be.
    return { keys: [OPENS_NOTHING], findings: [pass('master keys', detail)] };
  }
  const keys = loadMasterKeys(configured, dataDir);
  const detail = configured ? `${keys.length} given, the first one seals` : `the one in ${file}`;
  return { keys, findings: [pass('master keys', detail)] };
}

/** @throws Error if it may not even be looked for */
const isThere = (file: string) => statSync(file, { throwIfNoEntry: false }) !== undefined;

/** Without them the server does not start. */
export async function signingKeysFinding(store: Store, secrets: Secrets): Promise<Finding> {
  const check = 'our signing keys';
  try {
    const [entry] = await store.read(SIGNING_KEYS);
    if (!entry) return pass(check, 'none yet; they are made at first start');
    const { keys } = await openKeys(secrets, entry);
    return pass(check, `${keys.length}, opened by MASTER_KEYS`);
  } catch (error) {
    if (error instanceof SealBroken) {
      const fix = 'add the master key that this store was sealed with to MASTER_KEYS, at its end';
      return fail(check, 'MASTER_KEYS do not open them: the server does not start', fix);
    }
    if (error instanceof StoreUnavailable) return fail(check, `not read: ${error.detail}`);
    throw error;
  }
}
