import { existsSync } from 'node:fs';
import { SealBroken } from './adapters/secrets.ts';
import { startApp } from './app.ts';
import { ConfigError, describeConfig, loadConfig, type Config } from './config.ts';
import { createLog, type Log } from './log.ts';
import { welcome } from './cli/welcome.ts';

/** After SIGTERM a balancer needs some seconds to see that we are not ready and to send requests elsewhere. */
const GRACE_MS = 5_000;
/** Without a balancer: enough for busy clients to be told to close their connections. */
const LOOPBACK_GRACE_MS = 300;
/** For the last lines of the log, if nobody reads it. */
const FLUSH_MS = 2_000;

/** The command behind `npm start`. */
async function main(): Promise<void> {
  if (existsSync('.env')) process.loadEnvFile();
  const config = loadConfig(process.env);
  const log = createLog(config.logLevel);
  for (const warning of config.warnings) log.warn({ event: 'config', warning });
  log.info({ event: 'start', ...describeConfig(config) });

  const sandbox = config.sandbox.enabled ? await startSandbox(config, log) : undefined;
  const app = await startApp(config, { log });
  log.info({ event: 'listening', port: app.port, addresses: app.addresses });
  if (config.loopback || config.sandbox.enabled) process.stderr.write(welcome(config, sandbox));

  const stop = (signal: string) => {
    log.info({ event: 'stop', signal });
    // The sandbox last: requests under way still need it.
    void app
      .close(config.production ? GRACE_MS : LOOPBACK_GRACE_MS)
      .then(() => sandbox?.close())
      .then(() => flushed(log))
      .finally(() => process.exit(0));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

const flushed = (log: Log): Promise<void> =>
  new Promise((resolve) => {
    log.flush(() => resolve());
    setTimeout(resolve, FLUSH_MS);
  });

/** Loaded only when wanted; a port that is taken is no reason not to serve. */
async function startSandbox({ sandbox, dataDir }: Config, log: Log) {
  const { startSandbox: start } = await import('./sandbox/index.ts');
  try {
    return await start({ port: sandbox.port, statePath: `${dataDir}/sandbox.db` });
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

try {
  await main();
} catch (error) {
  process.stderr.write(`${explain(error as Error)}\n`);
  process.exit(1);
}
