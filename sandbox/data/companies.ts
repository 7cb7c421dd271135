import type { Company, Warehouse } from './model.ts';
import { hexId } from './random.ts';

/** A company, where it sells, what it is allowed to see, and the words its items are named with. */
export type CompanyPlan = {
  company: Company;
  lockedUntil: string;
  permissions: string[];
  warehouses: Warehouse[];
  /** How many items each marketplace has; the later ones repeat SKUs of the first. */
  itemsByCountry: Record<string, number>;
  adjectives: string[];
  nouns: string[];
};

const allPermissions = [
  'view:quicksight_group.business_planning_new',
  'view:quicksight_group.finance-new',
  'view:quicksight_group.bookkeeping',
  'view:quicksight_group.marketing',
  'view:quicksight_group.sales_and_marketing_new',
  'view:quicksight_group.inventory_management_new',
  'view:pages.processes.inventory-orders',
];

export const companyPlans: CompanyPlan[] = [
  plan(201, 'Harbor & Pine Home', 'HPH', 'USD', 'America/Los_Angeles', {
    permissions: allPermissions,
    warehouses: [
      ['Amazon FBA US', 'FBA', 'US'],
      ['Amazon FBA CA', 'FBA', 'CA'],
      ['Amazon FBA UK', 'FBA', 'GB'],
      ['Amazon FBA DE', 'FBA', 'DE'],
      ['Amazon AWD US', 'AWD', 'US'],
      ['Inland Depot', '3PL', 'US'],
      ['Inland Depot', '3PL', 'CA'],
      ['Harbor Loft', 'Asset', 'US'],
      ['Back Room', null, 'US'],
      ['Prep Station', 'FBM', 'US'],
      ['Returns Shelf', null, null],
      ['Lost & Found', null, null],
    ],
    itemsByCountry: { US: 48, CA: 22 },
    adjectives: ['Cedar', 'Linen', 'Harbor', 'Amber', 'Foldable', 'Woven', 'Slate', 'Quiet'],
    nouns: ['Lamp', 'Basket', 'Shelf', 'Throw', 'Planter', 'Tray'],
  }),
  plan(202, 'Nordlicht Outdoor', 'NLO', 'EUR', 'Europe/Berlin', {
    permissions: allPermissions.filter((name) => !/finance|bookkeeping/.test(name)),
    warehouses: [
      ['Amazon FBA DE', 'FBA', 'DE'],
      ['Amazon FBA FR', 'FBA', 'FR'],
      ['Elbe Logistik', '3PL', 'DE'],
      ['Elbe Logistik', '3PL', 'FR'],
      ['Werkstatt', 'Asset', 'DE'],
      ['Lost & Found', null, null],
    ],
    itemsByCountry: { DE: 11, FR: 5 },
    adjectives: ['Nordic', 'Alpine', 'Trail', 'Storm'],
    nouns: ['Tent', 'Lantern', 'Bottle', 'Hammock'],
  }),
  plan(203, 'Tidewell Pets', 'TWP', 'GBP', 'Europe/London', {
    permissions: allPermissions.filter((name) => /inventory|marketing/.test(name)),
    warehouses: [
      ['Amazon FBA UK', 'FBA', 'GB'],
      ['Amazon FBA DE', 'FBA', 'DE'],
      ['Mersey Storage', '3PL', 'GB'],
      ['Mersey Storage', '3PL', 'DE'],
      ['Kennel Street', null, 'GB'],
      ['Lost & Found', null, null],
    ],
    itemsByCountry: { GB: 12, DE: 4 },
    adjectives: ['Tidal', 'Cosy', 'Chewy', 'Sturdy'],
    nouns: ['Leash', 'Bed', 'Bowl', 'Ball'],
  }),
  plan(301, 'Quill & Copper', 'QNC', 'USD', 'America/New_York', {
    permissions: allPermissions,
    warehouses: [
      ['Amazon FBA US', 'FBA', 'US'],
      ['Amazon FBA UK', 'FBA', 'GB'],
      ['Amazon AWD US', 'AWD', 'US'],
      ['Dockside Storage', '3PL', 'US'],
      ['Dockside Storage', '3PL', 'GB'],
      ['Quill Studio', 'Asset', 'US'],
      ['Lost & Found', null, null],
    ],
    itemsByCountry: { US: 26, GB: 8 },
    adjectives: ['Copper', 'Ivory', 'Midnight', 'Plain', 'Marbled'],
    nouns: ['Notebook', 'Inkwell', 'Pen', 'Folder', 'Stand'],
  }),
];

type PlanDetails = Omit<CompanyPlan, 'company' | 'lockedUntil' | 'warehouses'> & {
  warehouses: [name: string, type: string | null, country: string | null][];
};

function plan(
  id: number,
  name: string,
  shortName: string,
  currency: string,
  timezone: string,
  details: PlanDetails,
): CompanyPlan {
  const uuid = hexId(`company ${id}`);
  return {
    ...details,
    company: { id, uuid, name, short_name: shortName, currency, timezone },
    lockedUntil: '2025-01-01',
    warehouses: details.warehouses.map(([label, type, country_code], index) => {
      return { uuid: hexId(`warehouse ${id} ${index}`), name: label, type, country_code };
    }),
  };
}
