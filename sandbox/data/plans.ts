import type { CompanyPlan } from './companies.ts';
import type { LedgerPlan } from './ledger.ts';
import type { Item, Warehouse } from './model.ts';
import type { Random } from './random.ts';

/**
 * What happens to which item, by its place among the company's items:
 *   1st  many small orders, enough for a second page of landed costs
 *   2nd  sold out: its balance is zero from the clearance day on
 *   5th  and every 9th after it: some units are lost
 *   the one without a listing is never sold and stays in storage
 */
export function planLedger(
  plan: CompanyPlan,
  item: Item,
  index: number,
  random: Random,
): LedgerPlan {
  const country = item.country_code;
  const fba = findWarehouse(plan, (w) => w.type === 'FBA' && w.country_code === country);
  const lostAndFound = findWarehouse(plan, (w) => w.name === 'Lost & Found');
  const storages = plan.warehouses.filter(
    (w) => w.country_code === country && w.type !== 'FBA' && w.type !== 'FBM',
  );
  const storage = storages[index % storages.length]!;
  const places = { storage, fba, lostAndFound, sells: item.asin !== undefined };

  if (index === 0) {
    const arrivals = Array.from({ length: 14 }, (_, order) => {
      return { day: 4 + order * 48, quantity: random.int(70, 110), at: storage };
    });
    return { ...places, arrivals };
  }
  const arrivals = [
    { day: random.int(3, 14), quantity: random.int(180, 420), at: index % 2 ? fba : storage },
    { day: random.int(190, 240), quantity: random.int(200, 460), at: index % 2 ? storage : fba },
  ];
  if (index === 1) return { ...places, arrivals, clearanceDay: 480 };
  if (index % 3) {
    arrivals.push({ day: random.int(420, 480), quantity: random.int(150, 380), at: storage });
  }
  return { ...places, arrivals, ...(index % 9 === 4 && { lossDay: random.int(90, 300) }) };
}

function findWarehouse(plan: CompanyPlan, wanted: (warehouse: Warehouse) => boolean): Warehouse {
  const found = plan.warehouses.find(wanted);
  if (!found) throw new Error(`${plan.company.name} lacks a warehouse its items need`);
  return found;
}
