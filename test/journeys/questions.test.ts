import { createData } from '../../sandbox/data/index.ts';
import type { Books, Ledger } from '../../sandbox/data/model.ts';
import { startHarness } from '../support/harness.ts';
import { createStoreTest } from '../support/stores.ts';
import { connectApp } from './clients.ts';
import { stopTime } from './time.ts';

/**
 * What users ask, answered as a model would: by chains of tool calls, reading nothing but the text of each result. Each
 * answer is then compared with the sandbox's books, added up here from single sales, batches and movements.
 */
const clock = stopTime();
const books = createData().books;

const question = await createStoreTest(async (store) => {
  const harness = await startHarness({ store });
  const app = await connectApp(harness, `${harness.url}/mcp`, { kind: 'v1 client' });

  /** What the model sees of a call. */
  async function ask(tool: string, args: Record<string, unknown> = {}): Promise<any> {
    const { isError, content } = await app.call(tool, args);
    const [{ text } = { text: '' }] = content;
    if (isError) throw new Error(`${tool}: ${text}`);
    return JSON.parse(text!);
  }

  /** A list, read on until its last page. */
  async function askAll(
    tool: string,
    args: Record<string, unknown> = {},
    key = 'data',
  ): Promise<any[]> {
    const entries: any[] = [];
    for (let page = 1, last = 1; page <= last; page++) {
      const answer = await ask(tool, { ...args, page, perPage: 60 });
      entries.push(...answer[key]);
      last = answer.last_page;
    }
    return entries;
  }

  return {
    ask,
    askAll,
    sandbox: harness.sandbox,
    async close() {
      await app.close();
      await harness.close();
    },
  };
});
type Ask = (tool: string, args?: Record<string, unknown>) => Promise<any>;

// The books, looked at directly.

const cents = (amount: number): number => Math.round(amount * 100);
const sum = <T>(list: readonly T[], value: (entry: T) => number): number =>
  list.reduce((total, entry) => total + value(entry), 0);
const within = (from: string, to: string) => (entry: { date: string }) =>
  entry.date >= from && entry.date <= to;

const booksOf = (shortName: string): Books =>
  books.find(({ company }) => company.short_name === shortName)!;
const ledgerOf = (itemId: number): Ledger =>
  books.flatMap(({ ledgers }) => ledgers).find(({ item }) => item.id === itemId)!;
const ADA = ['HPH', 'NLO', 'TWP'];

/** Units of an item per warehouse at the end of a day. */
function stockOf(ledger: Ledger, date: string): Record<string, number> {
  const stock: Record<string, number> = {};
  for (const move of ledger.movements.filter((m) => m.date <= date)) {
    stock[move.warehouse.uuid] = (stock[move.warehouse.uuid] ?? 0) + move.quantity;
  }
  return stock;
}

question(
  '"Which companies can you see? Is my NeonPanel account connected?"',
  async (t, { askAll }) => {
    const companies = await askAll('listCompanies');
    t.deepEqual(
      companies.map(({ name, currency }) => [name, currency]),
      ADA.map((name) => [booksOf(name).company.name, booksOf(name).company.currency]),
    );
  },
);

question('"What were revenue and COGS in the first quarter of 2026?"', async (t, { ask }) => {
  const { data } = await ask('getRevenueAndCogs', {
    startDate: '2026-01-01',
    endDate: '2026-03-31',
  });
  const answer = data.map((row: any) => [
    row.company.short_name,
    row.currency,
    cents(row.revenue_amount),
    cents(row.cogs_amount),
  ]);
  const expected = ADA.map((name) => {
    const { company, ledgers } = booksOf(name);
    const sales = ledgers
      .flatMap((ledger) => ledger.sales)
      .filter(within('2026-01-01', '2026-03-31'));
    return [
      name,
      company.currency,
      sum(sales, (sale) => sale.revenueCents),
      sum(sales, (sale) => sale.cogsCents),
    ];
  });
  t.deepEqual(answer, expected);
  t.true(expected.every(([, , revenue]) => (revenue as number) > 0));
});

question(
  '"Split Harbor & Pine by month and marketplace for the second half of 2025."',
  async (t, { ask }) => {
    const { data } = await ask('getRevenueAndCogs', {
      companyUuids: ['Harbor & Pine Home'],
      startDate: '2025-07-01',
      endDate: '2025-12-31',
      periodicity: 'monthly',
      grouping: ['country'],
    });
    const answer = data
      .map((row: any) => [
        row.start_date.slice(0, 7),
        row.country_code,
        cents(row.revenue_amount),
        cents(row.cogs_amount),
      ])
      .toSorted();
    const expected = [];
    for (const month of ['07', '08', '09', '10', '11', '12']) {
      for (const country of ['CA', 'US']) {
        const sales = booksOf('HPH')
          .ledgers.filter(({ item }) => item.country_code === country)
          .flatMap((ledger) => ledger.sales)
          .filter(({ date }) => date.startsWith(`2025-${month}`));
        expected.push([
          `2025-${month}`,
          country,
          sum(sales, (sale) => sale.revenueCents),
          sum(sales, (sale) => sale.cogsCents),
        ]);
      }
    }
    t.deepEqual(answer, expected);
  },
);

question(
  '"What was the margin of each company in 2025, and which was best?"',
  async (t, { ask }) => {
    const { data } = await ask('getRevenueAndCogs', {
      startDate: '2025-01-01',
      endDate: '2025-12-31',
      periodicity: 'yearly',
    });
    const margins = data.map((row: any) => [
      row.company.short_name,
      Math.round((1 - row.cogs_amount / row.revenue_amount) * 10_000),
    ]);
    const expected = ADA.map((name) => {
      const invoices = booksOf(name).invoices.filter(within('2025-01-01', '2025-12-31'));
      const revenue = sum(invoices, (invoice) => invoice.revenueCents);
      return [
        name,
        Math.round((1 - sum(invoices, (invoice) => invoice.cogsCents) / revenue) * 10_000),
      ];
    });
    t.deepEqual(margins, expected);
    const best = (list: [string, number][]) => list.toSorted((a, b) => b[1] - a[1])[0]![0];
    t.is(best(margins), best(expected as [string, number][]));
  },
);

question(
  '"How many HPH-LAMP-001 are in every warehouse, in each marketplace?"',
  async (t, { ask, askAll }) => {
    const items = await askAll('listInventoryItems', { companyUuid: 'HPH', sku: 'HPH-LAMP-001' });
    t.deepEqual(
      items.map(({ country_code }) => country_code),
      ['US', 'CA'],
      'one SKU, two items',
    );
    for (const { id } of items) {
      const { balances_data } = await ask('getInventoryDetails', {
        companyUuid: 'HPH',
        inventoryId: id,
        balancesDate: '2026-04-30',
      });
      const answer = balances_data.balances_list.map(({ warehouse, balance }: any) => [
        warehouse.uuid,
        balance,
      ]);
      t.deepEqual(Object.fromEntries(answer), stockOf(ledgerOf(id), '2026-04-30'));
    }
  },
);

question(
  '"How many days does the stock of Tidewell Pets last, and what must I restock?"',
  async (t, { ask, askAll }) => {
    const date = '2026-05-31';
    const since = '2026-05-02';
    const answer: Record<number, number> = {};
    const restock: number[] = [];
    for (const { id } of await askAll('listInventoryItems', { companyUuid: 'Tidewell Pets' })) {
      const { restock_data, balances_data } = await ask('getInventoryDetails', {
        companyUuid: 'TWP',
        inventoryId: id,
        balancesDate: date,
      });
      const units = sum<any>(balances_data.balances_list, ({ balance }) => balance);
      const { estimated_daily_sales, lead_time_days, safety_stock_days } = restock_data;
      // Nothing sold is not "lasts forever"; a model says that it can't tell.
      if (estimated_daily_sales === 0) continue;
      answer[id] = Math.round(units / estimated_daily_sales);
      if (answer[id] < lead_time_days + safety_stock_days) restock.push(id);
    }

    const expected: Record<number, number> = {};
    for (const ledger of booksOf('TWP').ledgers) {
      const sold = sum(ledger.sales.filter(within(since, date)), (sale) => sale.quantity);
      const units = sum(Object.values(stockOf(ledger, date)), (balance) => balance);
      const daily = Math.round((sold / 30) * 10_000) / 10_000;
      if (daily > 0) expected[ledger.item.id] = Math.round(units / daily);
    }
    t.deepEqual(answer, expected);
    t.true(Object.keys(expected).length > 10);
    t.deepEqual(
      restock,
      Object.keys(expected)
        .map(Number)
        .filter((id) => expected[id]! < 45 + 14),
    );
  },
);

question('"What was our inventory at the end of January?"', async (t, { askAll }) => {
  const date = '2026-01-31';
  const perItem: Record<number, number> = {};
  for (const { uuid } of await askAll('listWarehouses', { companyUuid: 'HPH' })) {
    const args = { companyUuid: 'HPH', warehouseUuid: uuid, balancesDate: date };
    for (const { inventory, balance } of await askAll('getWarehouseBalances', args)) {
      perItem[inventory.id] = (perItem[inventory.id] ?? 0) + balance;
    }
  }
  const expected: Record<number, number> = {};
  for (const ledger of booksOf('HPH').ledgers) {
    const stock = Object.values(stockOf(ledger, date));
    if (stock.length > 0) expected[ledger.item.id] = sum(stock, (units) => units);
  }
  t.deepEqual(perItem, expected);
  t.true(sum(Object.values(perItem), (units) => units) > 10_000);
});

question(
  '"What is in my 3PL?" means two warehouses of one name, told apart by country',
  async (t, { askAll }) => {
    const date = '2026-03-31';
    const warehouses = await askAll('listWarehouses', { companyUuid: 'HPH' });
    const threePL = warehouses.filter(({ type }) => type === '3PL');
    t.deepEqual(
      threePL.map(({ name, country_code }) => [name, country_code]),
      [
        ['Inland Depot', 'US'],
        ['Inland Depot', 'CA'],
      ],
    );
    for (const { uuid } of threePL) {
      const args = { companyUuid: 'HPH', warehouseUuid: uuid, balancesDate: date };
      const held = (await askAll('getWarehouseBalances', args))
        .filter(({ balance }) => balance > 0)
        .map(({ inventory, balance }) => [inventory.sku, balance]);
      const expected = booksOf('HPH')
        .ledgers.map((ledger) => [ledger.item.sku, stockOf(ledger, date)[uuid] ?? 0] as const)
        .filter(([, balance]) => balance > 0);
      t.deepEqual(held, expected as unknown[]);
      t.true(held.length > 0);
    }
  },
);

question('"Compare what lies at FBA and at AWD in the US."', async (t, { askAll }) => {
  const date = '2026-03-31';
  const warehouses = await askAll('listWarehouses', { companyUuid: 'HPH', search: 'amazon' });
  for (const type of ['FBA', 'AWD']) {
    const { uuid } = warehouses.find((w) => w.type === type && w.country_code === 'US');
    const args = { companyUuid: 'HPH', warehouseUuid: uuid, balancesDate: date };
    const balances = await askAll('getWarehouseBalances', args);
    const units = sum(balances, ({ balance }) => balance);
    t.is(
      units,
      sum(booksOf('HPH').ledgers, (ledger) => stockOf(ledger, date)[uuid] ?? 0),
    );
    t.true(units > 0);
  }
});

question(
  '"What did one HPH-LAMP-001 really cost, with freight and duty, batch by batch?"',
  async (t, { askAll }) => {
    const [item] = await askAll('listInventoryItems', {
      companyUuid: 'HPH',
      sku: 'HPH-LAMP-001',
      countryCode: 'US',
    });
    const answer: Record<string, Record<string, number>> = {};
    for (const { uuid } of await askAll('listWarehouses', { companyUuid: 'HPH' })) {
      const batches = await askAll('getInventoryLandedCost', {
        companyUuid: 'HPH',
        inventoryId: item.id,
        warehouseUuid: uuid,
        startDate: '2025-01-01',
        endDate: '2026-12-31',
      });
      for (const { batch, details, amount, quantity } of batches) {
        answer[batch.ref_number] = { total: cents(amount) / quantity };
        for (const cost of details) {
          answer[batch.ref_number]![cost.type] = cents(cost.amount) / cost.quantity;
        }
      }
    }
    const expected: Record<string, Record<string, number>> = {};
    for (const { document, quantity, costs } of ledgerOf(item.id).batches) {
      expected[document.ref_number!] = {
        total: sum(costs, (cost) => cost.cents) / quantity,
        ...Object.fromEntries(costs.map((cost) => [cost.type, cost.cents / quantity])),
      };
    }
    t.deepEqual(answer, expected);
    t.is(Object.keys(answer).length, 14);
    t.true(Object.values(answer).every((unit) => 'Freight Forwarding' in unit));
    t.true(Object.values(answer).every((unit) => 'Customs Duty' in unit));
  },
);

/** The item and month of 2026 with the greatest rise against the month before. */
function greatestJump() {
  let jump = { id: 0, before: '', month: '', rise: 0 };
  for (const { item, sales } of booksOf('HPH').ledgers) {
    const monthly = (month: string) =>
      sum(
        sales.filter(({ date }) => date.startsWith(month)),
        (sale) => sale.cogsCents,
      );
    for (const [before, month] of [
      ['2026-01', '2026-02'],
      ['2026-02', '2026-03'],
      ['2026-03', '2026-04'],
    ] as const) {
      const rise = monthly(month) - monthly(before);
      if (rise > jump.rise) jump = { id: item.id, before, month, rise };
    }
  }
  return jump;
}

question(
  '"Why did COGS of this item jump that month, and which invoices are it?"',
  async (t, { ask, askAll }) => {
    const jump = greatestJump();
    const asked = async (month: string) => {
      const last = new Date(Date.UTC(2026, Number(month.slice(5)), 0)).toISOString().slice(0, 10);
      const args = {
        companyUuid: 'HPH',
        inventoryId: jump.id,
        startDate: `${month}-01`,
        endDate: last,
      };
      const { amount, quantity } = await ask('getInventoryCogs', args);
      const sales = await askAll('getInventoryCogs', args, 'details');
      return { amount: cents(amount), quantity, sales };
    };
    const before = await asked(jump.before);
    const after = await asked(jump.month);
    t.is(after.amount - before.amount, jump.rise);

    // Why: more units, and each at another cost.
    const unit = ({ amount, quantity }: { amount: number; quantity: number }) =>
      quantity === 0 ? 0 : amount / quantity;
    const byUnits = (after.quantity - before.quantity) * unit(before);
    const byCost = (unit(after) - unit(before)) * after.quantity;
    t.true(Math.abs(byUnits + byCost - jump.rise) < 1e-6);

    const { sales } = ledgerOf(jump.id);
    const inMonth = sales.filter(({ date }) => date.startsWith(jump.month));
    t.deepEqual(
      after.sales.map(({ document, amount, quantity }) => [
        document.ref_number,
        cents(amount),
        quantity,
      ]),
      inMonth.map(({ invoice, cogsCents, quantity }) => [
        invoice.document.ref_number,
        cogsCents,
        quantity,
      ]),
    );
    const batches = new Set(
      after.sales.flatMap(({ details }) => details.map((detail: any) => detail.batch.ref_number)),
    );
    t.deepEqual(
      [...batches],
      [
        ...new Set(
          inMonth.flatMap(({ slices }) => slices.map(({ batch }) => batch.document.ref_number)),
        ),
      ],
    );
  },
);

question(
  '"How much COGS did Nordlicht lose without a sale in 2025, and on which items?"',
  async (t, { ask, askAll }) => {
    const answer: Record<string, number> = {};
    for (const { id, sku, country_code } of await askAll('listInventoryItems', {
      companyUuid: 'Nordlicht Outdoor',
    })) {
      const { lost_amount } = await ask('getInventoryCogs', {
        companyUuid: 'NLO',
        inventoryId: id,
        startDate: '2025-01-01',
        endDate: '2025-12-31',
        perPage: 10,
      });
      if (lost_amount > 0) answer[`${sku} ${country_code}`] = cents(lost_amount);
    }
    const expected: Record<string, number> = {};
    for (const { item, losses } of booksOf('NLO').ledgers) {
      const lost = losses.filter(within('2025-01-01', '2025-12-31'));
      if (lost.length === 0) continue;
      expected[`${item.sku} ${item.country_code}`] = sum(lost, (loss) => loss.cents);
    }
    t.deepEqual(answer, expected);
    t.true(Object.keys(expected).length > 0);
  },
);

question(
  '"Open the profit and loss, the general ledger and the inventory planning report."',
  async (t, { ask }) => {
    const { count, data } = await ask('listReports');
    t.is(count, data.length);
    const links = ['Profit and loss', 'General ledger', 'Inventory planning'].map(
      (title) => data.find((report: any) => report.title === title)?.link,
    );
    t.deepEqual(links, [
      'https://my.neonpanel.com/app/reports/bookkeeping/profit-and-loss',
      'https://my.neonpanel.com/app/reports/bookkeeping/general-ledger',
      'https://my.neonpanel.com/app/reports/forecasting/inventory-planning',
    ]);
  },
);

/** Waits as it is told to, and no longer than a patient user would. Serial: calls of others must not feel it. */
async function untilFinished(
  ask: Ask,
  companyUuid: string,
  state: any,
): Promise<{ states: string[]; end: any }> {
  const states = [state.status];
  let current = state;
  for (let patience = 10; current.retry_after_seconds !== undefined; patience--) {
    if (patience === 0) throw new Error('never finished');
    clock.advance(current.retry_after_seconds * 1000);
    const requestId = current.request_id;
    current = await ask('checkImportStatus', { companyUuid, type: 'bill', requestId });
    states.push(current.status);
  }
  return { states, end: current };
}

question(
  '"Enter this freight bill." is read up, built from what was read, and followed to its end',
  async (t, { ask, sandbox }) => {
    const { attributes } = await ask('getImportInstructions', { type: 'bill' });
    const invoice: Record<string, unknown> = {
      ref_number: 'OCEAN-5521',
      date: '2026-02-11',
      currency: 'USD',
      market: 'US',
      details: [
        { service_id: 7, quantity: 1, rate: 1840.5 },
        { service_id: 9, quantity: 3, rate: 22 },
      ],
      our_mood: 'not a field of theirs',
    };
    const known = Object.entries(invoice).filter(([field]) => field in attributes);
    t.is(known.length, 5);
    const data = Object.fromEntries(known);
    const state = await ask('createDocuments', { companyUuid: 'HPH', type: 'bill', data });
    const { end } = await untilFinished(ask, 'HPH', state);
    t.is(end.status, 'done');
    t.like(end.documents[0], { type: 'Bill', ref_number: 'OCEAN-5521' });
    const booked = sandbox.recorder.requests().filter(({ body }) => body.includes('OCEAN-5521'));
    t.deepEqual(
      booked.map(({ method, path, body }) => [method, path, JSON.parse(body)]),
      [['POST', `/api/v1/companies/${booksOf('HPH').company.uuid}/create/bill`, { data }]],
      'once, as it stands on the bill',
    );
  },
);

question(
  '"Book this supplier invoice PDF." is sent once and followed to its end',
  async (t, { ask, sandbox }) => {
    const file = { name: 'supplier-88.pdf', link: 'https://files.example/supplier-88.pdf?t=1' };
    const state = await ask('createDocumentsByPdf', {
      companyUuid: 'Tidewell Pets',
      type: 'bill',
      file,
    });
    const { states, end } = await untilFinished(ask, 'TWP', state);
    t.deepEqual([states[0], states.at(-1)], ['queued', 'done']);
    t.regex(end.documents[0].link, /^https:\/\/my\.neonpanel\.com\/app\/processes\//);
    const sent = sandbox.recorder.requests().filter(({ body }) => body.includes('supplier-88'));
    t.is(sent.length, 1);
  },
);

question('"In which companies may I see finance reports?"', async (t, { ask }) => {
  const permission = 'view:quicksight_group.finance-new';
  const { companies } = await ask('listCompaniesWithPermission', { permission });
  t.deepEqual(
    companies.map(({ short_name }: any) => short_name),
    ADA.filter((name) => booksOf(name).permissions.includes(permission)),
  );
  t.is(companies.length, 1);
});

question('"How did Nordlicht sell in France, quarter by quarter?"', async (t, { ask }) => {
  const { data } = await ask('getRevenueAndCogs', {
    companyUuids: ['nlo'],
    countryCodes: ['fr'],
    startDate: '2025-01-01',
    endDate: '2026-06-30',
    periodicity: 'quarterly',
  });
  const quarters = data.map((row: any) => [
    row.start_date,
    row.end_date,
    cents(row.revenue_amount),
  ]);
  const expected = [
    ['2025-01-01', '2025-03-31'],
    ['2025-04-01', '2025-06-30'],
    ['2025-07-01', '2025-09-30'],
    ['2025-10-01', '2025-12-31'],
    ['2026-01-01', '2026-03-31'],
    ['2026-04-01', '2026-06-30'],
  ].map(([from, to]) => {
    const sold = booksOf('NLO')
      .ledgers.filter(({ item }) => item.country_code === 'FR')
      .flatMap(({ sales }) => sales)
      .filter(within(from!, to!));
    return [from, to, sum(sold, (sale) => sale.revenueCents)];
  });
  t.deepEqual(quarters, expected);
});
