import test from 'ava';
import {
  connectApp,
  createApp,
  isSignInNeeded,
  KINDS,
  userSignsIn,
  VERSIONS,
} from '../journeys/clients.ts';
import { CALLBACK, MemoryProvider } from '../journeys/provider.ts';
import { stopTime } from '../journeys/time.ts';
import { startHarness } from '../support/harness.ts';
import { createStoreTest } from '../support/stores.ts';
import { startDocumentHost } from './host.ts';

/** The official clients, each told where its document is. */
const clock = stopTime();
const host = await startDocumentHost();
const storeTest = await createStoreTest((store) =>
  startHarness({ store, env: { CIMD_TEST_ORIGIN: host.origin } }),
);
test.after.always(() => host.close());

class DocumentedProvider extends MemoryProvider {
  readonly clientMetadataUrl: string;
  constructor(url: string) {
    super();
    this.clientMetadataUrl = url;
  }
}

for (const kind of KINDS) {
  storeTest(
    `[A5] [F7] ${kind}: takes its document for its client_id, signs in, calls and refreshes without registering`,
    async (t, harness, store) => {
      const path = `/${kind.replaceAll(/\W+/g, '-')}-${store}.json`;
      const url = host.origin + path;
      host.serve(path, { client_id: url, client_name: 'Journey', redirect_uris: [CALLBACK] });
      const seen: string[] = [];
      const watched: typeof fetch = async (input, init) => {
        seen.push(new URL(String(input)).pathname);
        return fetch(input, init);
      };
      const provider = new DocumentedProvider(url);
      const app = createApp(`${harness.url}/mcp`, { kind, provider, fetch: watched });
      t.teardown(() => app.close());
      t.true(isSignInNeeded(await t.throwsAsync(() => app.open())));
      t.is(provider.authorizationUrl!.searchParams.get('client_id'), url);
      await userSignsIn(harness, app);
      await app.open();
      t.is(app.version(), VERSIONS[kind]);
      t.is((await app.tools()).length, 16);
      t.is((await app.call('listCompanies')).structuredContent.data.length, 3);
      clock.advance(3_660_000);
      t.is((await app.call('listCompanies')).structuredContent.data.length, 3);
      t.is(provider.saved.length, 2, 'refreshed');
      t.is(provider.client!.client_id, url);
      t.false(seen.includes('/oauth2/register'));
      await connectApp(harness, `${harness.url}/mcp`, { kind, provider });
      t.is(host.asked.filter((asked) => asked === path).length, 2, 'once an hour');
    },
  );
}
