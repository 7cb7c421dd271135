import { createServer } from 'node:http';
import { DatabaseSync } from 'node:sqlite';
import { oauthProvider } from '@better-auth/oauth-provider';
import { betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import { toNodeHandler } from 'better-auth/node';
import { jwt } from 'better-auth/plugins';

/**
 * better-auth with its OAuth provider plugin, on node:sqlite in memory, RS256 access tokens. Its user is signed in before the
 * measurement; the flow posts the consent, as an application's consent page does.
 */
const { PORT, USER_EMAIL, USER_PASSWORD } = process.env;
const origin = `http://localhost:${PORT}`;

const auth = betterAuth({
  baseURL: origin,
  secret: 'a secret of the benchmark, long enough to be one',
  database: new DatabaseSync(':memory:'),
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  disabledPaths: ['/token'],
  plugins: [
    jwt({ jwks: { keyPairConfig: { alg: 'RS256', modulusLength: 2048 } } }),
    oauthProvider({
      loginPage: '/login',
      consentPage: '/consent',
      scopes: ['read', 'offline_access'],
      resources: [`${origin}/mcp`],
      clientRegistrationDefaultResources: [`${origin}/mcp`],
      allowDynamicClientRegistration: true,
      allowUnauthenticatedClientRegistration: true,
      silenceWarnings: { oauthAuthServerConfig: true, openidConfig: true },
    } as Parameters<typeof oauthProvider>[0]),
  ],
});
const { runMigrations } = await getMigrations(auth.options);
await runMigrations();
await auth.api.signUpEmail({
  body: { name: 'Bench', email: USER_EMAIL!, password: USER_PASSWORD! },
});

const serve = toNodeHandler(auth);
createServer((request, response) => {
  if (request.url === '/') response.end('ready');
  else void serve(request, response);
}).listen(Number(PORT));
