import { catalogue } from './faults/switchboard.ts';
import { startSandbox } from './index.ts';

const { SANDBOX_PORT = '3100', SANDBOX_STATE = '.data/sandbox.db' } = process.env;

try {
  const sandbox = await startSandbox({
    port: readPort(SANDBOX_PORT),
    statePath: SANDBOX_STATE,
    log: (line) => console.error(line),
  });
  console.log(welcome(sandbox));
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void sandbox.close());
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}

function readPort(text: string): number {
  const port = Number(text);
  if (Number.isInteger(port) && port >= 0 && port < 65_536) return port;
  throw new Error(`sandbox: SANDBOX_PORT must be a port number, not "${text}"`);
}

function welcome({ url, users }: Awaited<ReturnType<typeof startSandbox>>): string {
  const faults = Object.entries(catalogue).map(
    ([name, { does }]) => `  ${name.padEnd(20)} ${does}`,
  );
  return [
    `NeonPanel sandbox at ${url} (invented users and data)`,
    '',
    `  API       ${url}/api/v1`,
    `  metadata  ${url}/.well-known/oauth-authorization-server`,
    `  sign out  ${url}/logout`,
    '',
    'Users',
    ...users.map(({ name, email, password }) => `  ${name}: ${email} / ${password}`),
    '',
    'Fault switches',
    ...faults,
    '',
    '  on   curl ' + `${url}/_sandbox/faults --json '{"name":"rate-limit","times":1,"seconds":3}'`,
    `  off  curl -X DELETE ${url}/_sandbox/faults`,
    '',
  ].join('\n');
}
