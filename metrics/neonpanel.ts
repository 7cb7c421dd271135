import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { operationOf } from '../adapters/neonpanel/operation-name.ts';
import type { Facts } from '../facts.ts';
import { SECONDS } from './requests.ts';

export function countNeonpanel(registers: Registry[]) {
  const requests = new Counter({
    name: 'neonpanel_mcp_upstream_requests_total',
    help: 'Requests to NeonPanel, repetitions included; "not_asked" were not made, because it does not answer.',
    labelNames: ['operation', 'outcome'],
    registers,
  });
  const seconds = new Histogram({
    name: 'neonpanel_mcp_upstream_request_duration_seconds',
    help: 'Time of requests to NeonPanel that were made.',
    labelNames: ['operation'],
    buckets: SECONDS,
    registers,
  });
  const retries = new Counter({
    name: 'neonpanel_mcp_upstream_retries_total',
    help: 'Requests to NeonPanel that were made a second time.',
    labelNames: ['operation'],
    registers,
  });
  const open = new Gauge({
    name: 'neonpanel_mcp_upstream_breaker_open',
    help: '1 while NeonPanel is asked only now and then, because it does not answer.',
    registers,
  });
  return {
    request({ method, path, outcome, ms, isRetry }: Facts['neonpanel.request']): void {
      const operation = operationOf(method, path);
      requests.inc({ operation, outcome });
      if (outcome !== 'not_asked') seconds.observe({ operation }, ms / 1_000);
      if (isRetry) retries.inc({ operation });
    },
    breaker: ({ isOpen }: Facts['neonpanel.breaker']) => open.set(isOpen ? 1 : 0),
  };
}
