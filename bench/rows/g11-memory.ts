import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../test/support/ports.ts';
import { figuresOf, type Sample } from '../figures.ts';
import { inspect } from '../inspector.ts';
import { ECHOED, echoCall } from '../mcp-requests.ts';
import type { Row } from '../row.ts';

/** How often the heap is looked at, and how many calls fill the caches and warm the code before the first look. */
const LOOKS = 10;
const WARM_UP = 0.05;
/** What a request leaves for a moment (timers, sockets) is gone. */
const SETTLED_MS = 1_500;
const MEGABYTE = 2 ** 20;

export default {
  id: 'G11',
  name: 'memory',
  why: `An instance of its own serves tools/call in both eras, from all users. After every tenth of the calls its garbage is collected
twice (by the inspector) and the heap measured. How far apart are the highest and the lowest look?`,
  perStore: false,
  async measure(stage, plan) {
    const inspectorPort = await freePort();
    const server = await stage.another({ nodeOptions: [`--inspect=127.0.0.1:${inspectorPort}`] });
    const inspector = await inspect(inspectorPort);
    const shots = stage.tokens.flatMap((token) => [
      echoCall('2025-11-25', token),
      echoCall('2026-07-28', token),
    ]);
    const call = (amount: number): Promise<Sample> =>
      stage.sample([server], () =>
        stage.world.generator.load({
          kind: 'repeat',
          origin: server.origin,
          shots,
          expect: ECHOED,
          connections: plan.connections,
          amount: Math.ceil(amount),
        }),
      );
    await call(plan.memoryCalls * WARM_UP);
    const samples: Sample[] = [];
    const heaps: number[] = [];
    for (let look = 0; look < LOOKS; look++) {
      samples.push(await call(plan.memoryCalls / LOOKS));
      if (plan.name !== 'smoke') await sleep(SETTLED_MS);
      heaps.push(await inspector.heapUsed());
    }
    inspector.close();
    await server.stop();
    const all = samples.reduce((sum, { requests }) => sum + requests, 0);
    const name = `ours, ${all.toLocaleString('en')} calls; heap ${megabytes(heaps[0]!)} → ${megabytes(heaps.at(-1)!)} MB`;
    return {
      sides: [{ name, figures: figuresOf(samples) }],
      verdicts: [
        {
          goal: 'heap after GC moves',
          unit: 'MB',
          must: 2,
          more: false,
          value: (Math.max(...heaps) - Math.min(...heaps)) / MEGABYTE,
        },
      ],
    };
  },
} satisfies Row;

const megabytes = (bytes: number): string => (bytes / MEGABYTE).toFixed(1);
