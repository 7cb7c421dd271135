import test from 'ava';
import { callTool, connect, refresh } from '../support/oauth.ts';
import { startHarness } from '../support/harness.ts';

test('[X10] [D10] redis: a connection whose credential was evicted asks for a new sign-in, instead of refreshing its tokens for ever', async (t) => {
  const harness = await startHarness({ store: 'redis' });
  t.teardown(() => harness.close());
  const { url, redis, logs } = harness;
  const { client, tokens } = await connect(harness);
  const [grantId] = tokens.refresh_token.split('.');
  t.is(await redis!.command('DEL', `neonpanel-mcp:{${grantId}}:credential`), ':1\r\n');

  const renewed = await refresh(url, client, tokens.refresh_token);
  const { status, headers } = await callTool(url, renewed.body.access_token, 'listCompanies');
  t.is(status, 401);
  t.regex(headers.get('www-authenticate') ?? '', /^Bearer .*error="invalid_token"/);
  const over = await refresh(url, client, renewed.body.refresh_token);
  t.is(over.status, 400);
  t.is((over.body as object as { error: string }).error, 'invalid_grant');
  t.like(logs.find({ event: 'credential.missing' })[0], { grant: grantId, level: 50 });
});
