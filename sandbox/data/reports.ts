export type Report = {
  id: number;
  title: string;
  group: string;
  description: string;
  link: string;
};
export type Parameter = { slug: string; title: string; type: string; multiselect: boolean };
export type Sheet = {
  slug: string;
  title: string;
  description: string | null;
  parameters: Parameter[];
};

/** The reports every user sees. */
export const reports: Report[] = [
  report(1, 'Basic Suite', 'Sales overview', 'Units, orders and revenue by marketplace.'),
  report(2, 'Basic Suite', 'Stock on hand', 'Units and value in every warehouse.'),
  report(3, 'Basic Suite', 'Product profit', 'Revenue, COGS and fees by item.'),
  report(4, 'Forecasting', 'Inventory planning', 'What to order, and when.'),
  report(5, 'Forecasting', 'Sales forecast', 'Expected sales for the next six months.'),
  report(6, 'Forecasting', 'Restock FBA', 'What to send to Amazon this week.'),
  report(7, 'Bookkeeping', 'Profit and loss', 'Income and expenses by month.'),
  report(8, 'Bookkeeping', 'General ledger', 'Every entry of every account.'),
  report(9, 'Bookkeeping', 'Balance sheet', 'Assets, liabilities and equity at a date.'),
];

/** The sheets of a report with their parameters. */
export function sheetsOf(report: Report): Sheet[] {
  const company = parameter('company', 'Company', 'Dropdown', true);
  const sheets: Sheet[] = [
    {
      slug: 'summary',
      title: 'Summary',
      description: report.description,
      parameters: [company, parameter('period', 'Period', 'DateTimeRangePicker', false)],
    },
  ];
  if (report.id % 2 === 0) {
    const parameters = [company, parameter('sku', 'SKU', 'TextField', false)];
    sheets.push({ slug: 'details', title: 'Details', description: null, parameters });
  }
  return sheets;
}

function report(id: number, group: string, title: string, description: string): Report {
  const slug = (text: string) => text.toLowerCase().replaceAll(' ', '-');
  const link = `https://my.neonpanel.com/app/reports/${slug(group)}/${slug(title)}`;
  return { id, title, group, description, link };
}

function parameter(slug: string, title: string, type: string, multiselect: boolean): Parameter {
  return { slug, title, type, multiselect };
}
