import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startHarness } from '../support/harness.ts';
import { conformance } from './conformance.ts';
import { inspector } from './inspector.ts';
import { mcpRemote } from './mcp-remote.ts';
import { mcpjam } from './mcpjam.ts';
import { createPerson } from './person.ts';
import type { Suite } from './suite.ts';

/**
 * `npm run suites`: what others have written to test servers like this one, each against a server of its own. Words after
 * the command choose suites by name. Ends with 1 if one of them is not content.
 */
const suites: readonly Suite[] = [...conformance, ...inspector, mcpRemote, ...mcpjam];

const wanted = process.argv.slice(2);
const chosen = suites.filter(({ name }) => wanted.every((word) => name.includes(word)));

for (const suite of chosen) {
  const harness = await startHarness({ logLevel: 'error' });
  const dir = mkdtempSync(join(tmpdir(), 'neonpanel-mcp-suite-'));
  const started = performance.now();
  let outcome = 'ok  ';
  try {
    await suite.run({ harness, dir, signIn: createPerson(harness) });
  } catch (error) {
    outcome = 'FAIL';
    process.exitCode = 1;
    console.error((error as Error).message);
  } finally {
    await harness.close();
    rmSync(dir, { recursive: true, force: true });
  }
  console.log(
    `${outcome}  ${suite.name}  (${((performance.now() - started) / 1000).toFixed(1)} s)`,
  );
}
if (chosen.length === 0) process.exitCode = 1;
