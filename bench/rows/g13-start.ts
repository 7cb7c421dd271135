import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../test/support/ports.ts';
import { summarise } from '../figures.ts';
import { residentBytesOf } from '../process.ts';
import type { Row } from '../row.ts';

/** Nothing of the start is under way any more. */
const IDLE_MS = 2_000;

export default {
  id: 'G13',
  name: 'start',
  why: `An instance as shipped (\`node server.js\`, without npm around it) joins a Redis that is in use, as at every deployment: from
the start of the process to /readyz saying yes, asked every 5 ms, and what it then takes of memory when it has been idle for
two seconds.`,
  perStore: false,
  async measure(stage, plan) {
    const milliseconds: number[] = [];
    const bytes: number[] = [];
    for (let i = 0; i < plan.starts; i++) {
      const port = await freePort();
      const server = await stage.another({
        port,
        tools: 'as shipped',
        publicUrl: `http://localhost:${port}`,
      });
      milliseconds.push(server.readyMs);
      if (plan.name !== 'smoke') await sleep(IDLE_MS);
      bytes.push(residentBytesOf(server.pid) ?? NaN);
      await server.stop();
    }
    const ready = summarise(milliseconds);
    const resident = summarise(bytes.map((value) => value / 2 ** 20));
    const spread = (value: number) => `± ${Math.round(100 * value)} %`;
    return {
      sides: [],
      verdicts: [
        {
          goal: `start to ready (${spread(ready.spread)})`,
          unit: 'ms',
          more: false,
          value: ready.median,
          must: 500,
          aim: 400,
        },
        {
          goal: `idle resident memory (${spread(resident.spread)})`,
          unit: 'MB',
          more: false,
          value: resident.median,
          must: 140,
          aim: 125,
        },
      ],
    };
  },
} satisfies Row;
