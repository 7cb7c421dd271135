/** How long a person may take from opening the consent page to coming back from NeonPanel. */
export const INTERACTION_TTL_SECONDS = 900;

/** How long the way through NeonPanel's login may take. */
export const LOGIN_TTL_SECONDS = 600;

/** How long somebody stays signed in to the page of connected apps, from signing in. */
export const ACCOUNT_TTL_SECONDS = 1_800;

/**
 * How long the browser keeps the id of such a session. It opens nothing once the session is over, but then whoever comes back
 * can be told that their time is over.
 */
export const ACCOUNT_COOKIE_SECONDS = 86_400;
