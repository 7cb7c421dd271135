import * as z from 'zod';
import { READ } from '../../resource.ts';
import { structured } from './answer.ts';
import { pathOf } from './path.ts';
import * as shape from './shapes.ts';
import { defineTool, READS } from './tool.ts';

export const listReports = defineTool({
  name: 'listReports',
  title: 'List reports',
  status: { invoking: 'Looking up reports…', invoked: 'Reports listed' },
  description: [
    'Lists the NeonPanel reports the user may open (profit and loss, general ledger, inventory planning,',
    'forecasting …) with title, group, description and link.',
    'It returns links for a person to open in the browser, not the figures inside a report: for figures',
    'use getRevenueAndCogs or the inventory tools.',
    'Not paginated.',
  ].join(' '),
  scope: READ,
  annotations: READS,
  input: z.strictObject({}),
  output: z.looseObject({
    count: shape.number,
    data: shape.list(
      z.looseObject({
        id: shape.number,
        title: shape.text,
        group: shape.text,
        description: shape.text,
        link: shape.text,
      }),
    ),
  }),
  async run(_args, { neonpanel }) {
    return structured(await neonpanel.get(pathOf('reports')));
  },
});
