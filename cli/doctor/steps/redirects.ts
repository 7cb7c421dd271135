import { ask, inWords } from '../oauth.ts';
import type { Step } from '../step.ts';
import { httpsOf } from './registration.ts';

export const redirectSteps: readonly Step[] = [
  {
    id: 'redirect-exact',
    title: 'Redirect URIs are matched exactly',
    needs: ['authorizable', 'webClient'],
    async run(x, says) {
      const registered = httpsOf(x.facts.webClient!)!;
      const { client_id, redirectUris } = x.facts.webClient!;
      const { host, pathname } = new URL(registered);
      const variants: [what: string, uri: string][] = [
        ['slash', `${registered}/`],
        ['scheme', registered.replace(/^https/, 'http')],
        ['host', registered.replace(host, `${host}.doctor.example`)],
        ['path', registered.replace(pathname, '/doctor')],
        ['upper-case path', registered.replace(pathname, pathname.toUpperCase())],
        ['query', `${registered}?doctor=1`],
      ];
      const askFor = (redirect_uri: string) => ask(x, { client_id, redirect_uri });
      const [strange, known] = await Promise.all([
        Promise.all(variants.map(([, uri]) => askFor(uri))),
        Promise.all(redirectUris.map(askFor)),
      ]);
      for (const [i, fate] of strange.entries()) {
        if (fate.kind === 'page') continue;
        says.fail(
          `a redirect URI that differs in its ${variants[i]![0]} ${inWords(fate)} (${variants[i]![1]})`,
          'Compare with the registered ones character by character, and show a page otherwise: codes could be sent to strangers (RFC 9700 §2.1).',
        );
      }
      for (const [i, fate] of known.entries()) {
        if (fate.kind === 'accepted') continue;
        says.fail(
          `the registered redirect URI ${redirectUris[i]} ${inWords(fate)}`,
          'Keep what was registered character by character; normalise nothing.',
        );
      }
    },
  },
  {
    id: 'redirect-loopback',
    title: 'On loopback any port will do, and nothing else may differ',
    needs: ['authorizable'],
    skipIf: ({ facts }) => (loopbackOf(facts.client!) ? undefined : 'no redirect URI on loopback'),
    async run(x, says) {
      const registered = new URL(loopbackOf(x.facts.client!)!);
      const otherPort = new URL(registered);
      otherPort.port = '61999';
      const fate = await ask(x, { redirect_uri: otherPort.href });
      if (fate.kind !== 'accepted') {
        says.fail(
          `a loopback redirect URI with another port ${inWords(fate)}: Claude Code and VS Code listen on a new one each time`,
          'Ignore the port of http redirect URIs on localhost, 127.0.0.1 and [::1] (RFC 8252 §7.3).',
        );
      }
      const otherPath = new URL('/doctor', registered);
      const strange = await ask(x, { redirect_uri: otherPath.href });
      if (strange.kind !== 'page') {
        says.fail(
          `a loopback redirect URI with another path ${inWords(strange)}`,
          'Let only the port differ.',
        );
      }
    },
  },
];

const loopbackOf = ({ redirectUris }: { redirectUris: readonly string[] }): string | undefined =>
  redirectUris.find((uri) => /^http:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d+)?\/\w/.test(uri));
