import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startHarness } from '../support/harness.ts';
import { writeEverything } from './everything.ts';
import { takeFixture } from './fixture.ts';

/**
 * Writes test/fixtures/store-v1.json: `node test/versions/make-fixture.ts`. Once for each schema version, and never again:
 * what a version left behind does not change.
 */
const harness = await startHarness({
  env: { MASTER_KEYS: randomBytes(32).toString('base64url') },
});
const held = await writeEverything(harness);
const fixture = takeFixture(harness, held, Date.now());
await harness.close();
const path = join(import.meta.dirname, '../fixtures/store-v1.json');
writeFileSync(path, `${JSON.stringify(fixture, null, 2)}\n`, { flag: 'wx' });
