import test from 'ava';
import { createLog } from '../../log.ts';
import { createLogs } from './logs.ts';

test('lines of the product log can be found by their properties', (t) => {
  const logs = createLogs();
  const log = createLog('info', logs.sink);
  log.info({ event: 'token', outcome: 'success' });
  log.warn({ event: 'token', outcome: 'refused' });
  t.is(logs.find({ event: 'token' }).length, 2);
  t.like(logs.only({ outcome: 'refused' }), { event: 'token' });
  t.throws(() => logs.only({ event: 'token' }), { message: /^2 log entries match/ });
  t.throws(() => logs.only({ event: 'none' }), { message: /^0 log entries match/ });
  logs.clear();
  t.deepEqual(logs.entries(), []);
});

test('a line can be waited for', async (t) => {
  const logs = createLogs();
  const later = logs.waitFor({ event: 'late' });
  logs.sink.write('{"event":"late","n":1}\n');
  t.like(await later, { n: 1 });
  await t.throwsAsync(logs.waitFor({ event: 'never' }, 10), { message: /no log entry matches/ });
});

test('a leaked text is found wherever it stands, also outside JSON', (t) => {
  const logs = createLogs();
  logs.sink.write('oops canary-1\n');
  t.deepEqual(logs.leaked(['canary-1', 'canary-2']), ['canary-1']);
  t.like(logs.entries()[0], { unstructured: 'oops canary-1' });
});
