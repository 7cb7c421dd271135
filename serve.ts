import { existsSync } from 'node:fs';
import { SealBroken } from './adapters/secrets.ts';
import { type RunningApp, startApp } from './app.ts';
import { ConfigError, describeConfig, loadConfig, type Config } from './config.ts';
import { createLog, type Log } from './log.ts';
import { endWith } from './process-end.ts';
import { GRACE_MS, LOOPBACK_CRASH_STOP_MS, LOOPBACK_GRACE_MS, STOP_MS } from './stop-times.ts';
import { welcome } from './cli/welcome.ts';

/** Serves until it is told to stop. What keeps it from starting is told in one line, and ends the process. */
export async function serve(): Promise<void> {
  try {
    await start();
  } catch (error) {
    process.stderr.write(`${explain(error as Error)}\n`);
    process.exit(1);
  }
}

async function start(): Promise<void> {
  if (existsSync('.env')) process.loadEnvFile();
  const config = loadConfig(process.env);
  const log = createLog(config.logLevel);
  for (const warning of config.warnings) log.warn({ event: 'config', warning });
  log.info({ event: 'start', ...describeConfig(config) });

  let app: RunningApp | undefined;
  let sandbox: Awaited<ReturnType<typeof startSandbox>>;
  endWith({
    log,
    async close() {
      await app?.close(config.production ? GRACE_MS : LOOPBACK_GRACE_MS);
      // The sandbox last: requests under way still need it.
      await sandbox?.close();
    },
    withinMs: STOP_MS,
    crashWithinMs: config.production ? STOP_MS : LOOPBACK_CRASH_STOP_MS,
  });
  if (config.sandbox.enabled) sandbox = await startSandbox(config, log);
  app = await startApp(config, { log });
  log.info({ event: 'listening', port: app.port, addresses: app.addresses });
  if (config.loopback || config.sandbox.enabled) process.stderr.write(welcome(config, sandbox));
}

/** Loaded only when wanted; a port that is taken is no reason not to serve. */
async function startSandbox({ sandbox, dataDir }: Config, log: Log) {
  const sandboxModule = await import('./sandbox/index.ts');
  try {
    return await sandboxModule.startSandbox({
      port: sandbox.port,
      statePath: `${dataDir}/sandbox.db`,
    });
  } catch (error) {
    log.warn({ event: 'sandbox', problem: (error as Error).message });
    return undefined;
  }
}

/** One clear line (or one a mistake in the environment) instead of a stack. */
function explain(error: NodeJS.ErrnoException & { port?: number }): string {
  if (error instanceof ConfigError) return error.message;
  if (error instanceof SealBroken) {
    return 'Could not start: MASTER_KEYS does not contain the key that this store was sealed with';
  }
  const hint = error.code === 'EADDRINUSE' ? '; set PORT to one that is free' : '';
  return `Could not start: ${error.message}${hint}`;
}
