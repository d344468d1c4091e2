/**
 * The decisions that must be atomic, as Lua run inside Redis.
 *
 * Time is Redis's own, so that callers with other clocks share one window. The grant of a deduplication id is stored
 * by the same script that took it: a repeat (a hedge, a retry) reads the first answer, denials included, and takes
 * nothing. Every key has an expiry. All keys of one call carry the same `{hash tag}` and are passed in KEYS, so
 * the scripts run on a cluster too.
 *
 * Both take KEYS[1] the cell, KEYS[2] the deduplication record, ARGV limit, window ms, amount, best effort (1 or 0),
 * deduplication ms (0: none); the rolling one also a bucket's length in ms. Both return {granted, valid ms, repeat}.
 */
const PROLOGUE = `
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local limit, window, amount = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local bestEffort, remember = ARGV[4] == '1', tonumber(ARGV[5])
if remember > 0 then
  local seen = redis.call('GET', KEYS[2])
  if seen then
    local granted, till = string.match(seen, '^(%d+):(%d+)$')
    return {tonumber(granted), math.max(tonumber(till) - now, 0), 1}
  end
end
local function answer(granted, valid)
  if remember > 0 then
    redis.call('SET', KEYS[2], string.format('%.0f:%.0f', granted, now + valid), 'PX', remember)
  end
  return {granted, valid, 0}
end
local function share(free)
  if amount <= free then return amount end
  if bestEffort and free > 0 then return free end
  return 0
end
`;

/** One count that starts again when its window ends; the window starts with its first grant. */
const FIXED_WINDOW = `${PROLOGUE}
local used, ends = 0, now + window
local cell = redis.call('HMGET', KEYS[1], 'used', 'ends')
if cell[1] and now < tonumber(cell[2]) then
  used, ends = tonumber(cell[1]), math.min(tonumber(cell[2]), ends)
end
local granted = share(limit - used)
if granted == 0 then return answer(0, 0) end
redis.call('HSET', KEYS[1], 'used', string.format('%.0f', used + granted), 'ends', string.format('%.0f', ends))
redis.call('PEXPIRE', KEYS[1], ends - now)
return answer(granted, ends - now)
`;

/** A hash of bucket number -> count; a bucket is given back once its youngest grant has left the window. */
const ROLLING_WINDOW = `${PROLOGUE}
local bucket = tonumber(ARGV[6])
local oldest = math.floor((now - window) / bucket)
local used, gone = 0, {}
local cells = redis.call('HGETALL', KEYS[1])
for i = 1, #cells, 2 do
  if tonumber(cells[i]) < oldest then gone[#gone + 1] = cells[i] else used = used + tonumber(cells[i + 1]) end
end
for _, field in ipairs(gone) do redis.call('HDEL', KEYS[1], field) end
local granted = share(limit - used)
if granted == 0 then return answer(0, 0) end
redis.call('HINCRBY', KEYS[1], string.format('%.0f', math.floor(now / bucket)), granted)
redis.call('PEXPIRE', KEYS[1], window + bucket)
return answer(granted, window)
`;

export const QUOTA_SCRIPTS = {
  takeFixedWindow: { lua: FIXED_WINDOW, numberOfKeys: 2 },
  takeRollingWindow: { lua: ROLLING_WINDOW, numberOfKeys: 2 },
} as const;

export type QuotaScriptName = keyof typeof QUOTA_SCRIPTS;
