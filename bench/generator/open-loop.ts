import { setTimeout as sleep } from 'node:timers/promises';
import { ask } from './http.ts';
import type { Load, OpenLoop } from './protocol.ts';
import { quantiles } from './quantiles.ts';

/** @throws when an answer is not the one expected */
export async function openLoop(task: OpenLoop): Promise<Load> {
  const { shots, perSecond, seconds, origin, expect } = task;
  const latencies: number[] = [];
  const total = Math.max(1, Math.round(perSecond * seconds));
  const began = performance.now();
  const underWay: Promise<void>[] = [];
  for (let i = 0; i < total; i++) {
    const due = began + (i * 1000) / perSecond;
    const early = due - performance.now();
    if (early > 0) await sleep(early);
    const shot = shoot(i);
    // It is heard of at the end, with the others; until then nobody listens.
    shot.catch(() => {});
    underWay.push(shot);
  }
  await Promise.all(underWay);
  return { requests: total, seconds: (performance.now() - began) / 1000, ...quantiles(latencies) };

  async function shoot(i: number): Promise<void> {
    const { path, method, headers = {}, body } = shots[i % shots.length]!;
    const sent = performance.now();
    const answer = await ask(origin + path, { method, headers, body });
    latencies.push(performance.now() - sent);
    if (answer.status !== 200 || !answer.text.includes(expect)) {
      throw new Error(`${path}: expected 200 with ${expect}, got ${answer.status}: ${answer.text}`);
    }
  }
}
