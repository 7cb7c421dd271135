import type { Lifetime, Write } from '../store.ts';

/**
 * A commit is one Lua script: Redis runs it alone, so it is all or nothing, and nobody sees it half done.
 *
 * A record is one string: the version, which is of fixed length, and behind it the value.
 */
export const VERSION_LENGTH = 16;
/** Longer than anybody goes on trying. */
const TRACE_MS = 10_000;

/** What the script answers first. */
export const OUTCOME = { refused: 0, done: 1, tooLate: 2 } as const;
/**
 * Behind it come the time by Redis's clock, in epoch milliseconds, and for a durable commit how many replicas follow: only
 * then somebody has to wait for them.
 */
export type CommitReply = [outcome: number, serverTime: number, replicas: number];

/**
 * KEYS: the records, and behind them the trace, if the commit needs one.
 * ARGV: the new version, until when the commit may be carried out (empty: at any time), whether it is to be durable, the
 * number of records, then four for each record: what is expected (`any`, `absent` or `=` and a version), the verb, the lifetime in milliseconds
 * (or `keep`, `forever`, `gone`) and the value.
 *
 * Nothing is written before everything is checked: a script that fails in the middle is not undone. What Redis itself
 * may refuse (out of memory, read-only, disk failing) it refuses at the first write and not later.
 */
export const COMMIT_SCRIPT = `
local version, until_when, durable, records = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local trace = KEYS[records + 1]
local function argument(record, which) return ARGV[4 + (record - 1) * 4 + which] end

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function replicas()
  local info = durable == 'durable' and redis.pcall('INFO', 'replication')
  -- Where INFO is not for scripts, nobody knows of any.
  if type(info) ~= 'string' then return 0 end
  local _, online = string.gsub(info, 'state=online', '')
  return online
end
local function answer(outcome) return { outcome, now, outcome == ${OUTCOME.done} and replicas() or 0 } end

-- Sent twice because the answer was lost: it is done already.
if trace and redis.call('EXISTS', trace) == 1 then return answer(${OUTCOME.done}) end
local found = {}
for record = 1, records do
  found[record] = redis.call('GETRANGE', KEYS[record], 0, ${VERSION_LENGTH - 1})
  if argument(record, 2) == 'put' and found[record] == version then return answer(${OUTCOME.done}) end
end

if until_when ~= '' and now > tonumber(until_when) then return answer(${OUTCOME.tooLate}) end
for record = 1, records do
  local expected, verb, lifetime = argument(record, 1), argument(record, 2), argument(record, 3)
  local there = found[record]
  local is_absent = there == ''
  local holds = expected == 'any' or (expected == 'absent' and is_absent)
    or (not is_absent and expected == '=' .. there)
  if not holds or (is_absent and verb == 'put' and lifetime == 'keep') then
    return answer(${OUTCOME.refused})
  end
end

for record = 1, records do
  local key, verb, lifetime = KEYS[record], argument(record, 2), argument(record, 3)
  if verb == 'remove' or lifetime == 'gone' then
    redis.call('DEL', key)
  elseif verb == 'put' then
    local value = version .. argument(record, 4)
    if lifetime == 'keep' then redis.call('SET', key, value, 'KEEPTTL')
    elseif lifetime == 'forever' then redis.call('SET', key, value)
    else redis.call('SET', key, value, 'PX', lifetime) end
  elseif lifetime == 'forever' then redis.call('PERSIST', key)
  elseif lifetime ~= 'keep' then redis.call('PEXPIRE', key, lifetime) end
end
if trace then redis.call('SET', trace, '', 'PX', ${TRACE_MS}) end
return answer(${OUTCOME.done})
`;

/** @param until by Redis's clock, in epoch milliseconds; undefined: at any time */
export function commitArguments(
  version: string,
  writes: readonly Write[],
  { until, durable }: { until: number | undefined; durable: boolean },
): string[] {
  const head = [version, `${until ?? ''}`, durable ? 'durable' : '', `${writes.length}`];
  return [...head, ...writes.flatMap(argumentsOf)];
}

/**
 * A commit recognises itself by the versions it has put. One that puts nothing, but would not succeed twice, leaves a
 * trace for as long as it may be sent again.
 */
export const needsTrace = (writes: readonly Write[]): boolean =>
  writes.some(({ expect }) => expect !== 'any') &&
  !writes.some((write) => 'put' in write && lifetimeOf(write.lifetime) !== GONE);

function argumentsOf(write: Write): string[] {
  const expected = typeof write.expect === 'string' ? write.expect : `=${write.expect.version}`;
  if ('put' in write) return [expected, 'put', lifetimeOf(write.lifetime), write.put];
  if ('touch' in write) return [expected, 'touch', lifetimeOf(write.touch), ''];
  return [expected, 'remove', '', ''];
}

const GONE = 'gone';
/** 30,000 years: Redis adds the time of day to it, and the sum must still be a number. */
const MAX_LIFETIME_MS = 1e15;

function lifetimeOf(lifetime: Lifetime): string {
  if (typeof lifetime === 'string') return lifetime;
  const milliseconds = Math.min(Math.round(lifetime * 1_000), MAX_LIFETIME_MS);
  return milliseconds > 0 ? String(milliseconds) : GONE;
}
