import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type BrowserContext } from 'playwright-core';

/** A real Chromium with a profile of its own. */
export interface Chromium {
  readonly context: BrowserContext;
  /** Ends the browser and removes its profile. */
  close(): Promise<void>;
}

/** Quiet (no look-ups of its own), and without the kernel sandbox, which containers do not offer. */
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-dev-shm-usage',
  '--no-first-run',
];

/**
 * Launches Chromium, CHROMIUM_PATH or the one the system's package manager installs. A missing browser is an error,
 * not a reason to skip: a suite that did not run must not look like one that passed.
 */
export async function launchChromium(): Promise<Chromium> {
  const executablePath = await findChromium();
  const profile = await mkdtemp(join(tmpdir(), 'chromium-test-'));
  const removeProfile = (): Promise<void> =>
    rm(profile, { recursive: true, force: true, maxRetries: 5 });
  try {
    const context = await chromium.launchPersistentContext(profile, {
      executablePath,
      args: FLAGS,
      chromiumSandbox: false,
      handleSIGINT: false,
    });
    return {
      context,
      async close() {
        await context.close();
        await removeProfile();
      },
    };
  } catch (error) {
    await removeProfile();
    throw error;
  }
}

const PLACES = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/snap/bin/chromium',
  '/usr/bin/google-chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];

async function findChromium(): Promise<string> {
  const chosen = process.env['CHROMIUM_PATH'];
  const candidates = chosen ? [chosen] : PLACES;
  for (const path of candidates) {
    const found = await access(path).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  throw new Error(`no Chromium at ${candidates.join(', ')}; run: npm run setup`);
}
