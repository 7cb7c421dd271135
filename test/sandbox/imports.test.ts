import test from 'ava';
import { apiOf, createClock, jsonOf, start, uuidOf, type Api } from './_setup.ts';

const pdfByLink = (name: string) => ({ file: { name, link: `https://files.example/${name}` } });

async function statusOf(api: Api, path: string) {
  const response = await api.fetch(path);
  const body = await jsonOf(response);
  return [response.status, body.status, response.headers.get('Retry-After')];
}

test('instructions for bills come as JSON or text, other types are 404', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  const json = await api.fetch('/import/bill/instructions', {
    headers: { Accept: 'application/json' },
  });
  t.regex(json.headers.get('Content-Type') ?? '', /^application\/json/);
  const { attributes, general } = await jsonOf(json);
  t.is(typeof general, 'string');
  t.true('ref_number' in attributes);
  const text = await api.fetch('/import/bill/instructions', { headers: { Accept: 'text/plain' } });
  t.regex(text.headers.get('Content-Type') ?? '', /^text\/plain/);
  t.regex(await text.text(), /ref_number/);
  const absent = await api.fetch('/import/invoice/instructions');
  t.is(absent.status, 404);
  t.is(typeof (await jsonOf(absent)).message, 'string');
});

test('a JSON bill is done at once', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  const company = uuidOf(sandbox, 201);
  const response = await api.post(`/companies/${company}/create/bill`, {
    data: {
      ref_number: 'FR-17',
      date: '2025-06-01',
      details: [{ service_id: 4, quantity: 1, rate: 99.5 }],
    },
  });
  t.is(response.status, 200);
  const { request_id, status, documents } = await jsonOf(response);
  t.is(response.headers.get('X-Request-Id'), request_id);
  t.is(status, 'done');
  t.deepEqual([documents[0].type, documents[0].ref_number], ['Bill', 'FR-17']);
  const later = await api.get(`/companies/${company}/import/bill/status/${request_id}`);
  t.deepEqual(later, { request_id, status, documents });
});

test('a PDF is queued, then processed, then done, as the clock goes', async (t) => {
  const clock = createClock();
  const sandbox = await start(t, { now: clock.now });
  const api = await apiOf(sandbox);
  const base = `/companies/${uuidOf(sandbox, 201)}/import/bill`;
  const response = await api.post(`${base}/pdf`, pdfByLink('bill.pdf'));
  const { request_id, ...rest } = await jsonOf(response);
  t.deepEqual([response.status, rest], [202, { status: 'queued' }]);
  t.is(response.headers.get('Retry-After'), '15');
  t.is(response.headers.get('X-Request-Id'), request_id);
  const path = `${base}/status/${request_id}`;
  t.deepEqual(await statusOf(api, path), [202, 'queued', '15']);
  clock.pass(15);
  t.deepEqual(await statusOf(api, path), [202, 'processing', '5']);
  clock.pass(5);
  t.deepEqual(await statusOf(api, path), [200, 'done', null]);
  t.is((await api.get(path)).documents.length, 1);
});

test('broken.pdf ends in error', async (t) => {
  const clock = createClock();
  const sandbox = await start(t, { now: clock.now });
  const api = await apiOf(sandbox);
  const base = `/companies/${uuidOf(sandbox, 201)}/import/bill`;
  const { request_id } = await jsonOf(await api.post(`${base}/pdf`, pdfByLink('broken.pdf')));
  clock.pass(20);
  const answer = await api.get(`${base}/status/${request_id}`);
  t.deepEqual(answer, { request_id, status: 'error', documents: [] });
});

test('a PDF may come raw, in a form, or as a link', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  const path = `/companies/${uuidOf(sandbox, 201)}/import/bill/pdf`;
  const raw = { method: 'POST', headers: { 'Content-Type': 'application/pdf' }, body: '%PDF-1.7' };
  t.is((await api.fetch(`${path}?filename=a.pdf`, raw)).status, 202);
  t.is((await api.fetch(path, raw)).status, 400);
  const form = new FormData();
  form.set('file', new File(['%PDF-1.7'], 'b.pdf', { type: 'application/pdf' }));
  t.is((await api.fetch(path, { method: 'POST', body: form })).status, 202);
  t.is((await api.post(path, pdfByLink('c.pdf'))).status, 202);
  for (const body of [
    {},
    { file: 'x' },
    { file: { name: 'a.pdf' } },
    { file: { name: 'a.pdf', link: 'file:///etc/passwd' } },
  ]) {
    const response = await api.post(path, body);
    t.is(response.status, 400);
    t.is(typeof (await jsonOf(response)).message, 'string');
  }
});

test('other types, broken data and locked dates are 400, bad fields 422', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  const base = `/companies/${uuidOf(sandbox, 201)}`;
  const bill = { ref_number: 'X-1' };
  t.is((await api.post(`${base}/create/invoice`, { data: bill })).status, 400);
  t.is((await api.post(`${base}/import/invoice/pdf`, pdfByLink('a.pdf'))).status, 400);
  t.is((await api.post(`${base}/create/bill`, { data: [] })).status, 400);
  t.is((await api.post(`${base}/create/bill`, bill)).status, 400);
  const locked = await api.post(`${base}/create/bill`, { data: { ...bill, date: '2024-12-31' } });
  t.is(locked.status, 400);
  t.regex((await jsonOf(locked)).message, /locked/);

  const details = [
    { service_id: 1, quantity: 1, rate: 1 },
    { service_id: 1, quantity: 0, rate: 1 },
    null,
  ];
  const bad = await api.post(`${base}/create/bill`, {
    data: { date: 'soon', currency: 'EURO', details },
  });
  t.is(bad.status, 422);
  t.deepEqual(Object.keys((await jsonOf(bad)).errors).toSorted(), [
    'currency',
    'date',
    'details.1.quantity',
    'details.2.quantity',
    'details.2.rate',
    'details.2.service_id',
    'ref_number',
  ]);
});

test('an import belongs to its company', async (t) => {
  const sandbox = await start(t);
  const [a, b] = [await apiOf(sandbox, 0), await apiOf(sandbox, 1)];
  const created = await a.post(`/companies/${uuidOf(sandbox, 201)}/create/bill`, {
    data: { ref_number: '1' },
  });
  const { request_id } = await jsonOf(created);
  for (const [api, companyId, status] of [
    [a, 201, 200],
    [a, 202, 404],
    [b, 301, 404],
    [b, 201, 403],
  ] as const) {
    const path = `/companies/${uuidOf(sandbox, companyId)}/import/bill/status/${request_id}`;
    t.is((await api.fetch(path)).status, status);
  }
  const otherType = await a.fetch(
    `/companies/${uuidOf(sandbox, 201)}/import/invoice/status/${request_id}`,
  );
  t.is(otherType.status, 404);
});
