import { createServer } from 'node:http';

/**
 * A NeonPanel API that costs next to nothing: one prepared page of companies for whatever is asked, at once or after the
 * delay that `/_delay/MS` sets.
 */
const company = (id: number, name: string, short_name: string, currency: string) => ({
  uuid: `5b0f8f0e-6a51-4c57-9a3e-0000000000${id % 100}`,
  id,
  name,
  short_name,
  currency,
  timezone: 'Etc/UTC',
});
const body = JSON.stringify({
  current_page: 1,
  per_page: 30,
  last_page: 1,
  total: 3,
  data: [
    company(211, 'Harbor & Pine Home', 'HPH', 'USD'),
    company(212, 'Nordlicht Outdoor', 'NLO', 'EUR'),
    company(213, 'Tidewell Pets', 'TWP', 'GBP'),
  ],
});
const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
let delayMs = 0;

createServer((request, response) => {
  const [, delay] = /^\/_delay\/(\d+)$/.exec(request.url ?? '') ?? [];
  if (delay !== undefined) delayMs = Number(delay);
  const answer = () => response.writeHead(200, headers).end(body);
  if (delayMs > 0 && delay === undefined) setTimeout(answer, delayMs);
  else answer();
}).listen(Number(process.env['PORT']));
