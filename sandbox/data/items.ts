import type { CompanyPlan } from './companies.ts';
import type { Item } from './model.ts';
import { createRandom, hexId } from './random.ts';

/**
 * The items of a company, marketplace after marketplace. A SKU of the second marketplace is a SKU of the
 * first, as an item of its own. Fixed places: the 3rd item has no picture, the last of the first
 * marketplace has no listing.
 */
export function createItems(plan: CompanyPlan, seed: number): Item[] {
  const { company, adjectives, nouns } = plan;
  const items: Item[] = [];
  for (const [marketplace, [country, count]] of Object.entries(plan.itemsByCountry).entries()) {
    for (let index = 0; index < count; index++) {
      const random = createRandom(seed, `item ${company.id} ${index}`);
      const number = String(index + 1).padStart(3, '0');
      const noun = nouns[index % nouns.length]!;
      const sku = `${company.short_name}-${noun.toUpperCase()}-${number}`;
      const listed = marketplace > 0 || index < count - 1;
      items.push({
        id: company.id * 1000 + items.length + 1,
        name: `${adjectives[index % adjectives.length]} ${noun} No. ${index + 1}`,
        ...(listed && {
          fnsku: `X0SBX${code(`fnsku ${sku} ${country}`, 5)}`,
          asin: `B0SBX${code(`asin ${sku}`, 5)}`,
        }),
        sku,
        image: index === 2 ? null : `https://images.sandbox.example/${sku.toLowerCase()}.jpg`,
        country_code: country,
        weight: random.int(20, 900) / 100,
        length: random.int(40, 240) / 10,
        height: random.int(10, 160) / 10,
        depth: random.int(10, 160) / 10,
      });
    }
  }
  return items;
}

function code(label: string, length: number): string {
  return hexId(label).slice(0, length).toUpperCase();
}
