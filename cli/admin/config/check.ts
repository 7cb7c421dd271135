import { createSecrets } from '../../../adapters/secrets.ts';
import type { Store } from '../../../adapters/store.ts';
import { type Config, ConfigError, loadConfig } from '../../../config.ts';
import { fail, type Finding, pass, reportOf, warn } from '../findings.ts';
import { neonpanelFindings } from '../neonpanel/check.ts';
import type { Terminal } from '../../terminal.ts';
import type { Report } from '../verbs.ts';
import { masterKeys, signingKeysFinding } from './keys.ts';
import { withStore } from './store.ts';

/** `config check`: goes on after what is wrong, as far as anything can be said without it. */
export async function checkConfiguration(terminal: Terminal): Promise<Report> {
  const { env, now = Date.now } = terminal;
  let config: Config;
  try {
    config = loadConfig(env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const rest = warn('the rest', 'can be checked only when the environment can be read');
    return reportOf([...error.problems.map(problemFinding), rest]);
  }
  const place = config.production ? 'production rules hold' : 'for this machine only';
  const findings: Finding[] = [
    pass('environment', `${config.publicUrl}, ${place}`),
    ...config.warnings.map((warning) => warn('environment', warning)),
    ...sandboxFindings(config),
  ];
  const keys = masterKeys(config);
  findings.push(...keys.findings);
  const secrets = createSecrets(keys.keys);
  await withStore(config, now, async (store, storeFindings) => {
    findings.push(...storeFindings);
    if (store) findings.push(await signingKeysFinding(store, secrets));
    findings.push(...(await neonpanelFindings({ config, store: store ?? ABSENT, secrets, now })));
  });
  return reportOf(findings);
}

function problemFinding({ variable, problem, expected }: ConfigError['problems'][number]): Finding {
  const register =
    variable === 'NEONPANEL_CLIENT_ID' ? '; npm run admin -- neonpanel register' : '';
  return fail('environment', `${variable} ${problem}`, `expected ${expected}${register}`);
}

function sandboxFindings({ sandbox, production }: Config): Finding[] {
  if (!sandbox.enabled) return [];
  const detail = 'NeonPanel is the sandbox: invented data';
  return production
    ? [warn('environment', `${detail}, behind a public address`, 'unset ALLOW_SANDBOX')]
    : [pass('environment', detail)];
}

/** In the place of a store that can't be used: nothing is known. */
const ABSENT: Store = {
  read: async (...keys) => keys.map(() => undefined),
  commit: async () => undefined,
  async *keys() {},
  ping: async () => {},
  close: async () => {},
};
