/** The authorization server's paths. Fixed: clients, documents and tests rely on them. */
export const PATHS = {
  authorize: '/oauth2/authorize',
  callback: '/oauth2/authorize/callback',
  token: '/oauth2/token',
  register: '/oauth2/register',
  revoke: '/oauth2/revoke',
  introspect: '/oauth2/introspect',
  interaction: '/interaction',
  account: '/account',
  accountSignIn: '/account/sign-in',
  accountSignOut: '/account/sign-out',
  /** Of all connections; behind it, of one. */
  accountDisconnect: '/account/disconnect',
  jwks: '/.well-known/jwks.json',
} as const;
