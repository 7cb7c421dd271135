import test from 'ava';
import { apiOf, start, uuidOf, type Api } from './_setup.ts';

const cents = (value: number) => Math.round(value * 100);
const total = (list: any[], value: (entry: any) => number) =>
  list.reduce((sum, entry) => sum + value(entry), 0);
const ever = 'start_date=2025-01-01&end_date=2026-12-31';

/** What the API says of every landing of an item, at all warehouses together. */
async function landedAnywhere(api: Api, company: string, itemId: number, warehouses: any[]) {
  const path = `/companies/${company}/inventory-items/${itemId}/landed-cost`;
  const answers = await Promise.all(
    warehouses.map(({ uuid }) => api.all(`${path}?warehouse_uuid=${uuid}&${ever}`)),
  );
  return answers.flat();
}

test('for every item, what arrived equals what was sold and lost and what remains, batch by batch', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  const company = uuidOf(sandbox, 203);
  const warehouses = await api.all(`/companies/${company}/warehouses`);
  const items = await api.all(`/companies/${company}/inventory-items`);
  t.is(items.length, 16);

  for (const { id } of items) {
    const base = `/companies/${company}/inventory-items/${id}`;
    const landed = await landedAnywhere(api, company, id, warehouses);
    const sales = await api.all(`${base}/cogs?${ever}`, 'details');
    const cogs = await api.get(`${base}/cogs?${ever}`);
    const { balances_data } = await api.get(`${base}/balances?balances_date=2026-12-31`);
    const ledger = sandbox.data.books
      .flatMap(({ ledgers }) => ledgers)
      .find(({ item }) => item.id === id)!;

    const arrived = total(landed, (batch) => batch.quantity);
    const onHand = total(balances_data.balances_list, (entry) => entry.balance);
    const lost = total(ledger.losses, (loss) => loss.quantity);
    t.is(arrived, cogs.quantity + lost + onHand);

    // FIFO: whatever is left lies in the youngest batches, so their cost can be told from outside.
    let remaining = onHand;
    let valueCents = 0;
    for (const batch of landed.toSorted((a, b) => (a.batch.date < b.batch.date ? 1 : -1))) {
      const units = Math.min(remaining, batch.quantity);
      remaining -= units;
      valueCents += (cents(batch.amount) * units) / batch.quantity;
    }
    const arrivedCents = total(landed, (batch) => cents(batch.amount));
    const difference = arrivedCents - cents(cogs.total_amount) - valueCents;
    t.true(Math.abs(difference) < 6, `item ${id} is off by ${difference} cents`);

    // Within a batch: what was written off never exceeds what landed, cost type by cost type.
    for (const batch of landed) {
      const written = sales
        .flatMap((sale) => sale.details)
        .filter((d) => d.batch.link === batch.batch.link);
      for (const cost of batch.details) {
        const ofType = written.filter((entry) => entry.type === cost.type);
        t.true(total(ofType, (entry) => cents(entry.amount)) <= cents(cost.amount));
        t.true(total(ofType, (entry) => entry.quantity) <= cost.quantity);
      }
    }
  }
});

test('a batch that is sold out was written off to the cent', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  const company = uuidOf(sandbox, 201);
  const soldOut = `/companies/${company}/inventory-items/201002`;
  const warehouses = await api.all(`/companies/${company}/warehouses`);
  const landed = await landedAnywhere(api, company, 201002, warehouses);
  const cogs = await api.get(`${soldOut}/cogs?${ever}`);
  const { balances_data } = await api.get(`${soldOut}/balances?balances_date=2026-12-31`);
  t.is(
    total(balances_data.balances_list, (entry) => entry.balance),
    0,
  );
  t.is(
    cents(cogs.total_amount),
    total(landed, (batch) => cents(batch.amount)),
  );
  t.is(
    cogs.quantity,
    total(landed, (batch) => batch.quantity),
  );
});

test('FIFO: no unit of a batch is sold before the batch before it is gone', async (t) => {
  const sandbox = await start(t);
  for (const { ledgers } of sandbox.data.books) {
    for (const { batches, sales, losses } of ledgers) {
      const slices = [...losses, ...sales] // of one day, losses are written off first
        .toSorted((a, b) => a.date.localeCompare(b.date))
        .flatMap((write) => write.slices.map((slice) => ({ ...slice, date: write.date })));
      for (const batch of batches) {
        let next = 0;
        for (const slice of slices.filter((entry) => entry.batch === batch)) {
          t.is(slice.from, next);
          t.true(slice.date >= batch.date);
          next = slice.to;
        }
        t.is(next, batch.used);
      }
      const order = slices.map((slice) => batches.indexOf(slice.batch));
      t.deepEqual(
        order,
        order.toSorted((a, b) => a - b),
      );
    }
  }
});

test('totals of landed cost and COGS are those of their lists, and of the details within', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  const company = uuidOf(sandbox, 201);
  const base = `/companies/${company}/inventory-items/201001`;
  const warehouses = await api.all(`/companies/${company}/warehouses`);
  const { uuid } = warehouses.find((entry) => entry.name === 'Amazon AWD US');
  const period = 'start_date=2025-02-01&end_date=2026-06-30';
  const path = `${base}/landed-cost?warehouse_uuid=${uuid}&${period}`;
  const landed = await api.get(`${path}&per_page=10`);
  const batches = await api.all(path);
  t.is(landed.last_page, 2);
  t.is(landed.data.length, 10);
  t.is(
    cents(landed.amount),
    total(batches, (batch) => cents(batch.amount)),
  );
  t.is(
    landed.quantity,
    total(batches, (batch) => batch.quantity),
  );
  for (const batch of batches) {
    t.is(
      cents(batch.amount),
      total(batch.details, (detail) => cents(detail.amount)),
    );
  }
  const unitCosts = new Set(batches.map((batch) => (batch.amount / batch.quantity).toFixed(4)));
  t.is(unitCosts.size, batches.length);

  const cogs = await api.get(`${base}/cogs?${period}`);
  const sales = await api.all(`${base}/cogs?${period}`, 'details');
  t.is(
    cents(cogs.amount),
    total(sales, (sale) => cents(sale.amount)),
  );
  t.is(
    cogs.quantity,
    total(sales, (sale) => sale.quantity),
  );
  for (const sale of sales) {
    t.is(
      cents(sale.amount),
      total(sale.details, (detail) => cents(detail.amount)),
    );
  }
});

test('an item with losses says so in lost_amount and total_amount', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  const base = `/companies/${uuidOf(sandbox, 201)}/inventory-items`;
  const lost = await api.get(`${base}/201005/cogs?${ever}`);
  t.true(lost.lost_amount > 0);
  t.is(cents(lost.total_amount), cents(lost.amount) + cents(lost.lost_amount));
  const intact = await api.get(`${base}/201001/cogs?${ever}`);
  t.is(intact.lost_amount, 0);
});

test('balances by item and balances by warehouse are the same figures', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  const company = uuidOf(sandbox, 202);
  const items = await api.all(`/companies/${company}/inventory-items`);
  const warehouses = await api.all(`/companies/${company}/warehouses`);
  for (const date of ['2025-01-01', '2025-04-30', '2025-12-31', '2026-12-31']) {
    const byWarehouse = new Map<string, number>();
    for (const { uuid } of warehouses) {
      const path = `/companies/${company}/warehouses/${uuid}/balances?balances_date=${date}`;
      for (const { inventory, balance } of await api.all(path)) {
        byWarehouse.set(`${inventory.id} ${uuid}`, balance);
      }
    }
    const byItem = new Map<string, number>();
    for (const { id } of items) {
      const path = `/companies/${company}/inventory-items/${id}/balances?balances_date=${date}`;
      const { balances_data } = await api.get(path);
      t.is(balances_data.balances_date, date);
      for (const { warehouse, balance } of balances_data.balances_list) {
        t.true(balance >= 0);
        byItem.set(`${id} ${warehouse.uuid}`, balance);
      }
    }
    const sorted = (map: Map<string, number>) => [...map].toSorted();
    t.deepEqual(sorted(byItem), sorted(byWarehouse));
    if (date > '2025-01-31') t.true(byItem.size > 0);
  }
});

test('COGS of all items is the COGS of revenue-and-cogs, per company, country and month', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  for (const companyId of [202, 203]) {
    const company = uuidOf(sandbox, companyId);
    const items = await api.all(`/companies/${company}/inventory-items`);
    const query = `start_date=2025-10-10&end_date=2026-02-20&periodicity=monthly&grouping[]=company&grouping[]=country&company_uuids[]=${company}`;
    const { data } = await api.get(`/revenue-and-cogs?${query}`);
    t.is(new Set(data.map((row: any) => row.start_date)).size, 5);
    for (const row of data) {
      const period = `start_date=${row.start_date}&end_date=${row.end_date}`;
      let sold = 0;
      for (const { id } of items.filter((item) => item.country_code === row.country_code)) {
        const path = `/companies/${company}/inventory-items/${id}/cogs?${period}`;
        sold += cents((await api.get(path)).amount);
      }
      t.is(cents(row.cogs_amount), sold);
      t.is(row.company.id, companyId);
    }
  }
});

test('revenue and COGS are the same however they are grouped and divided', async (t) => {
  const sandbox = await start(t);
  const api = await apiOf(sandbox);
  const period = 'start_date=2025-02-11&end_date=2026-05-19';
  const sums = async (query: string) => {
    const { data } = await api.get(`/revenue-and-cogs?${period}&${query}`);
    const byCurrency: Record<string, number[]> = {};
    for (const row of data) {
      const sum = (byCurrency[row.currency] ??= [0, 0]);
      sum[0]! += cents(row.revenue_amount);
      sum[1]! += cents(row.cogs_amount);
    }
    return byCurrency;
  };
  const expected = await sums('');
  t.deepEqual(Object.keys(expected).toSorted(), ['EUR', 'GBP', 'USD']);
  for (const grouping of ['company', 'country', 'invoice', 'company&grouping=country']) {
    for (const periodicity of ['total', 'yearly', 'quarterly', 'monthly']) {
      t.deepEqual(await sums(`grouping=${grouping}&periodicity=${periodicity}`), expected);
    }
  }
});

test('the same seed gives the same figures, another seed other figures for the same companies', async (t) => {
  const [first, again, other] = [
    await start(t, { seed: 7 }),
    await start(t, { seed: 7 }),
    await start(t, { seed: 8 }),
  ];
  const path = `/revenue-and-cogs?${ever}`;
  const figures = await Promise.all(
    [first, again, other].map(async (sandbox) => (await (await apiOf(sandbox)).get(path)).data),
  );
  t.deepEqual(figures[0], figures[1]);
  t.notDeepEqual(figures[0], figures[2]);
  t.deepEqual(
    figures[0].map((row: any) => row.company),
    figures[2].map((row: any) => row.company),
  );
});
