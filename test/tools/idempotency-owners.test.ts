import { randomUUID } from 'node:crypto';
import { startHarness } from '../support/harness.ts';
import { callTool, connect } from '../support/oauth.ts';
import { createStoreTest } from '../support/stores.ts';
import { resultOf } from './support/bills.ts';

/** Whose an idempotency key is: the NeonPanel user's, whichever client brings it. NeonPanel is the sandbox. */

const storeTest = await createStoreTest((store) => startHarness({ store, instances: 2 }));

storeTest('[T55] a key is the user’s own, through every client of theirs', async (t, harness) => {
  const { sandbox, instances } = harness;
  const [mine, other] = sandbox.users;
  const name = `${randomUUID()}.pdf`;
  const idempotencyKey = 'bill-1';
  const send = async (base: string, token: string) => {
    const companies = resultOf(t, await callTool(base, token, 'listCompanies'));
    const [{ uuid }] = companies.data as [{ uuid: string }];
    const file = { name, link: 'https://files.example.com/bill.pdf' };
    const args = { companyUuid: uuid, type: 'bill', file, idempotencyKey };
    return resultOf(t, await callTool(base, token, 'createDocumentsByPdf', args)).request_id;
  };
  const asked = () =>
    sandbox.recorder
      .requests()
      .filter(({ method, body }) => method === 'POST' && body.includes(name)).length;
  const tokenOf = async (user: typeof mine) =>
    (await connect(harness, { user: user! })).tokens.access_token;

  const first = await send(instances[0]!, await tokenOf(mine));
  const again = await send(instances[1]!, await tokenOf(mine));
  t.is(again, first, 'another client, another grant');
  t.is(asked(), 1);
  const theirs = await send(instances[0]!, await tokenOf(other));
  t.not(theirs, first);
  t.is(await send(instances[1]!, await tokenOf(other)), theirs);
  t.is(asked(), 2);
});
