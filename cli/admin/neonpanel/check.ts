import { createBoundedFetch } from '../../../adapters/neonpanel/bounded-fetch.ts';
import { createNeonpanelInspector, type Seen } from '../../../adapters/neonpanel/inspect.ts';
import { PATHS } from '../../../auth/paths.ts';
import { clockFinding, fail, type Finding, pass, warn } from '../findings.ts';
import type { Session } from '../session.ts';
import { clientFindings } from './client.ts';

const TIMEOUT_MS = 5_000;

/** Everything about NeonPanel that can be seen without a login. Changes nothing there. */
export async function neonpanelFindings(
  session: Pick<Session, 'config' | 'store' | 'secrets' | 'now'>,
): Promise<Finding[]> {
  const { config, now } = session;
  const { url, apiUrl } = config.neonpanel;
  const fetch = createBoundedFetch({ timeoutMs: TIMEOUT_MS, maxBytes: 256 * 1024 });
  const inspector = createNeonpanelInspector({ fetch, now });
  try {
    const document = await inspector.see(`${url}/.well-known/oauth-authorization-server`);
    if (document.status === undefined) {
      if (config.sandbox.enabled) {
        const detail = `the sandbox at ${url} does not answer (${document.problem})`;
        return [fail('neonpanel', detail, 'npm start runs it, or npm run sandbox')];
      }
      const fix =
        'check NEONPANEL_URL, DNS, the firewall, and NODE_EXTRA_CA_CERTS for a private CA';
      return [fail('neonpanel', `${url} does not answer (${document.problem})`, fix)];
    }
    const metadata = { ...documented(url), ...document.json };
    const [keys, token, api] = await Promise.all([
      inspector.see(metadata.jwks_uri),
      inspector.see(metadata.token_endpoint, {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        body: 'grant_type=authorization_code',
      }),
      inspector.see(`${apiUrl}/companies?page=1&per_page=10`),
    ]);
    return [
      pass('neonpanel', `${url} answers`),
      ...(document.skewMs === undefined
        ? [warn('clock', 'NeonPanel sends no Date, so clocks could not be compared')]
        : [clockFinding('clock', 'NeonPanel’s', document.skewMs)]),
      ...metadataFindings(url, document),
      keysFinding(metadata.jwks_uri, keys),
      tokenFinding(metadata.token_endpoint, token),
      apiFinding(apiUrl, api),
      ...(await clientFindings(session, {
        inspector,
        redirectUri: config.publicUrl + PATHS.callback,
        authorizationEndpoint: metadata.authorization_endpoint,
      })),
    ];
  } finally {
    await fetch.close();
  }
}

/** What adapters/neonpanel/metadata.ts assumes where NeonPanel says nothing. */
const documented = (url: string) => ({
  authorization_endpoint: `${url}/oauth2/authorize`,
  token_endpoint: `${url}/oauth2/token`,
  jwks_uri: `${url}/.well-known/jwks.json`,
});

function metadataFindings(url: string, { status, json }: Seen): Finding[] {
  if (status !== 200 || !json) {
    const detail = `no metadata document (HTTP ${status}); the documented paths are used`;
    return [warn('metadata', detail, 'check NEONPANEL_URL')];
  }
  const problems: Finding[] = [];
  const { issuer } = json;
  if (issuer !== url) {
    const detail = `its issuer is ${String(issuer)}, not ${url}`;
    problems.push(warn('metadata', detail, 'set NEONPANEL_URL to the issuer if they are the same'));
  }
  for (const name of ['authorization_endpoint', 'token_endpoint', 'jwks_uri']) {
    const value = json[name];
    const endpoint = typeof value === 'string' ? URL.parse(value) : null;
    if (!endpoint) problems.push(fail('metadata', `${name} is missing or no URL`, ASK_NEONPANEL));
    else if (endpoint.protocol !== new URL(url).protocol) {
      problems.push(fail('metadata', `${name} is ${endpoint.protocol} only`, ASK_NEONPANEL));
    }
  }
  const needed = {
    response_types_supported: ['code'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    code_challenge_methods_supported: ['S256'],
  };
  for (const [name, values] of Object.entries(needed)) {
    const offered = json[name];
    if (!Array.isArray(offered)) continue;
    const missing = values.filter((value) => !offered.includes(value));
    if (missing.length > 0) {
      problems.push(fail('metadata', `${name} lacks ${missing.join(', ')}`, ASK_NEONPANEL));
    }
  }
  if (problems.length > 0) return problems;
  const revocation = json.revocation_endpoint ? 'offers revocation' : 'offers no revocation';
  return [pass('metadata', `sound; ${revocation}`)];
}

const ASK_NEONPANEL = 'this is NeonPanel’s to change: tell its support';

function keysFinding(uri: string, { status, json, problem }: Seen): Finding {
  const keys = (json?.keys ?? []) as { kty?: unknown; kid?: unknown }[];
  const usable = Array.isArray(keys) ? keys.filter(({ kty, kid }) => kty === 'RSA' && kid) : [];
  if (usable.length > 0) return pass('signing keys', `${usable.length} at ${uri}`);
  const found = status === 200 ? 'no RSA key with a kid' : (problem ?? `HTTP ${status}`);
  return fail('signing keys', `${uri}: ${found}; no login can be verified`, ASK_NEONPANEL);
}

/** A request that is refused as OAuth refuses shows that somebody is there. */
function tokenFinding(endpoint: string, { status, json, problem }: Seen): Finding {
  const isOauth = typeof json?.error === 'string' && (status === 400 || status === 401);
  if (isOauth) return pass('token endpoint', `${endpoint} answers`);
  const found = problem ?? `HTTP ${status}${json ? '' : ', not JSON'}`;
  return fail('token endpoint', `${endpoint}: ${found}, where an OAuth error was expected`);
}

function apiFinding(apiUrl: string, { status, problem }: Seen): Finding {
  if (status === 401) return pass('API', `${apiUrl} answers`);
  const found = problem ?? `HTTP ${status}`;
  const fix = 'check NEONPANEL_API_URL';
  return fail('API', `${apiUrl}: ${found}, where 401 was expected`, fix);
}
