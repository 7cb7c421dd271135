import { ask, authorizationRequest, inWords } from '../oauth.ts';
import { createHeadlessBrowser } from '../../headless-browser.ts';
import type { Step } from '../step.ts';

/** Longer than some servers keep (400 characters), shorter than any limit of a URL. */
const LONG_STATE = 'doctor-'.padEnd(2_000, 's');

export const authorizationSteps: readonly Step[] = [
  {
    id: 'authorization',
    title: 'An ordinary authorization request goes on to sign-in',
    needs: ['client'],
    async run(x, says) {
      const fate = await ask(x);
      if (fate.kind === 'accepted') {
        x.facts.authorizable = true;
        return;
      }
      const description = fate.kind === 'told' && fate.parameters.get('error_description');
      says.fail(
        `an authorization request with registered redirect URI, PKCE, scope and resource ${inWords(fate)}${description ? `: ${description.slice(0, 200)}` : ''}`,
        'Accept what the metadata and the challenge advertise: their scopes, S256, and the resource address. See the log for the distinct cause.',
      );
    },
  },
  {
    id: 'authorization-scopes',
    title: 'Every advertised scope may be asked for, or none',
    needs: ['authorizable'],
    async run(x, says) {
      const listed = x.facts.server!.scopes_supported;
      const advertised = Array.isArray(listed) ? listed.join(' ') : undefined;
      for (const [what, scope] of [
        ['without a scope', undefined],
        [`with every advertised scope (${advertised})`, advertised],
      ] as const) {
        const fate = await ask(x, { scope });
        if (fate.kind === 'accepted') continue;
        says.fail(
          `a request ${what} ${inWords(fate)}`,
          'Any client may ask for every scope of scopes_supported, offline_access included; without one, use a default.',
        );
      }
    },
  },
  {
    id: 'authorization-resource',
    title: 'The resource may be spelled as clients do; a foreign one is refused',
    needs: ['authorizable'],
    async run(x, says) {
      const say = x.facts.ours ? says.fail : says.warn;
      const { mcpUrl, origin } = x.target;
      const spellings = [undefined, origin, `${origin}/`, `${mcpUrl}/`];
      const fates = await Promise.all(spellings.map((resource) => ask(x, { resource })));
      for (const [i, fate] of fates.entries()) {
        if (fate.kind === 'accepted') continue;
        say(
          `a request ${spellings[i] ? `for the resource ${spellings[i]}` : 'without a resource'} ${inWords(fate)}`,
          'Treat your own spellings (origin, final slash) as one audience; older clients send none.',
        );
      }
      const foreign = await ask(x, { resource: 'https://foreign.example/mcp' });
      if (foreign.kind === 'accepted') {
        say(
          'a request for a foreign resource goes on to sign-in',
          'Refuse it with invalid_target (RFC 8707 §2), or tokens for others can be had here.',
        );
      }
    },
  },
  {
    id: 'pkce-required',
    title: 'A request without PKCE, or with plain, is refused',
    needs: ['authorizable'],
    async run(x, says) {
      const without = { code_challenge: undefined, code_challenge_method: undefined };
      for (const [what, change] of [
        ['without PKCE', without],
        ['with PKCE plain', { code_challenge: 'p'.repeat(43), code_challenge_method: 'plain' }],
      ] as const) {
        const fate = await ask(x, change);
        if (fate.kind === 'accepted' || (fate.kind === 'told' && !fate.error)) {
          says.fail(
            `an authorization request ${what} ${inWords(fate)}: a stolen code could be used`,
            'Require code_challenge with S256 from every client (RFC 7636, OAuth 2.1).',
          );
        }
      }
    },
  },
  {
    id: 'authorization-errors',
    title: 'Errors go back to the client with its state and iss',
    needs: ['authorizable'],
    async run(x, says) {
      const change = { code_challenge: undefined, code_challenge_method: undefined };
      const fate = await ask(x, { ...change, state: LONG_STATE });
      if (fate.kind !== 'told') {
        if (fate.kind === 'page') {
          says.warn(
            `a request without PKCE ${inWords(fate)}; the client waits in vain`,
            'With a registered redirect URI, send the error there (RFC 6749 §4.1.2.1).',
          );
        }
        return;
      }
      const state = fate.parameters.get('state');
      if (state !== LONG_STATE) {
        says.fail(
          `state comes back ${state === null ? 'not at all' : `changed (${state.length} of ${LONG_STATE.length} characters)`}`,
          'Return it as it was sent; ChatGPT sends more than 400 characters.',
        );
      }
      const iss = fate.parameters.get('iss');
      if (x.facts.server!.authorization_response_iss_parameter_supported !== true) return;
      if (iss !== x.facts.server!.issuer) {
        says.fail(
          `iss is announced, and ${iss === null ? 'missing in' : `is ${iss.slice(0, 200)} in`} an error response`,
          'Send the issuer, the same string as in the metadata, in every response (RFC 9207).',
        );
      }
    },
  },
  {
    id: 'authorization-unknown-client',
    title: 'An unknown client gets a page, never a redirect',
    needs: ['authorizable'],
    async run(x, says) {
      const fate = await ask(x, { client_id: 'doctor-unknown' });
      if (fate.kind === 'page') return;
      says.fail(
        `a request of an unknown client ${inWords(fate)}`,
        'Show a page with status 400; redirect to nothing that is not registered (RFC 6749 §4.1.2.1).',
      );
    },
  },
  {
    id: 'consent-page',
    title: 'The first page lets its answer be followed back to the client',
    needs: ['authorizable'],
    async run(x, says) {
      const { url, redirectUri } = authorizationRequest(x);
      const browser = createHeadlessBrowser((to) => to.origin !== url.origin, x.http.fetch);
      const page = await browser.visit(url);
      if (page.status === 0) return says.note(`sends the person on to ${page.url.origin}`);
      says.note(`${page.url.origin}${page.url.pathname.replace(/[\w-]{16,}/g, '…')}`);
      const policy = page.headers.get('content-security-policy') ?? '';
      if (page.status >= 400) {
        return says.fail(
          `the page of sign-in is answered ${page.status}`,
          'See the log of the server; a cookie that is not accepted (Secure on http, another host) is a usual cause.',
        );
      }
      if (/\bform-action\b/.test(policy)) {
        says.fail(
          'the page sends Content-Security-Policy form-action: Chromium blocks the redirect to the client after the form',
          'Leave form-action out on pages of sign-in and consent.',
        );
      }
      if (/^same-origin$/.test(page.headers.get('cross-origin-opener-policy') ?? '')) {
        says.fail(
          'the page sends Cross-Origin-Opener-Policy: same-origin, so a client in a popup never hears of the end',
          'Leave it out on pages of sign-in and consent.',
        );
      }
      if (!/frame-ancestors/.test(policy) && !page.headers.has('x-frame-options')) {
        says.warn(
          'the page can be framed by other sites (clickjacking)',
          "Send frame-ancestors 'none' or X-Frame-Options: DENY.",
        );
      }
      // Seen from the page, not from the request: it is what the person is told.
      const isShown = page.html.includes(new URL(redirectUri).host);
      if (!isShown && x.facts.ours) {
        says.warn(
          'the page does not say where the answer goes',
          'Show the host of the redirect URI.',
        );
      }
    },
  },
];
