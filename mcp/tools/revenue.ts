import * as z from 'zod';
import { READ } from '../../resource.ts';
import { structured } from './answer.ts';
import * as argument from './arguments.ts';
import { resolveCompanies } from './company.ts';
import { pathOf } from './path.ts';
import * as shape from './shapes.ts';
import { defineTool, READS } from './tool.ts';

export const getRevenueAndCogs = defineTool({
  name: 'getRevenueAndCogs',
  title: 'Get revenue and cost of goods sold',
  status: {
    invoking: 'Totalling revenue and cost of goods sold…',
    invoked: 'Revenue and cost totalled',
  },
  description: [
    'Totals revenue and cost of goods sold (FIFO landed cost) over a period, for some or all companies.',
    'Gross profit = revenue_amount - cogs_amount.',
    'What is asked in months, quarters or years: set periodicity instead of calling once per month.',
    'grouping splits each period by company, country (marketplace) or invoice, alone or combined;',
    'company, country_code and invoice are null when not grouped by.',
    'Never add up different currencies.',
    'Leave companyUuids out for all companies.',
    'Not paginated, so prefer months to invoices for long periods.',
    'For one product use getInventoryCogs.',
  ].join(' '),
  scope: READ,
  annotations: READS,
  input: z
    .strictObject({
      startDate: argument.startDate,
      endDate: argument.endDate,
      periodicity: z
        .enum(['total', 'yearly', 'quarterly', 'monthly'])
        .optional()
        .describe('total if left out'),
      grouping: z
        .array(z.enum(['company', 'country', 'invoice']))
        .min(1)
        .max(3)
        .optional()
        .describe('company if left out'),
      companyUuids: argument.companyUuids.optional().describe('Only these; all if left out'),
      countryCodes: z
        .array(argument.countryCode)
        .min(1)
        .max(60)
        .optional()
        .describe('Only these marketplaces, e.g. ["US"]; all if left out'),
    })
    .refine(argument.endsAfterStart, argument.PERIOD_ERROR),
  output: z.looseObject({
    data: shape.list(
      z.looseObject({
        start_date: shape.text,
        end_date: shape.text,
        revenue_amount: shape.number,
        cogs_amount: shape.number,
        currency: shape.text,
        company: shape.companyReference,
        country_code: shape.text,
        invoice: shape.object(shape.document),
      }),
    ),
  }),
  async run({ startDate, endDate, companyUuids, countryCodes, ...rest }, context) {
    return structured(
      await context.neonpanel.get(pathOf('revenue-and-cogs'), {
        start_date: startDate,
        end_date: endDate,
        periodicity: rest.periodicity,
        grouping: rest.grouping,
        company_uuids: companyUuids && (await resolveCompanies(companyUuids, context)),
        country_codes: countryCodes,
      }),
    );
  },
});
