-- Takes in all entries of one webhook body at once, or none (rule R1).
--
-- KEYS 1 stream  2 fates  3 quarantine  4 bytes waiting  5 watchdogs
-- ARGV 1 source  2 entriesMax  3 seenMs  4 tombstoneMs  5 quarantineMax  6 seen key prefix
--      7 tombstone key prefix  8 bytesMax  9 number of alerts  10 number of quarantined  11 now, Unix ms
--      then per alert: deliveryId, payload, fingerprint, end ('' while firing, else 20 digits),
--      its name among the watchdogs, should it be one ('' if it does not fire)
--      then per quarantined: payload
-- Answers {1, accepted, duplicate} or {0, backlog} when the stream is full: then nothing changed.
local source, entriesMax = ARGV[1], tonumber(ARGV[2])
local seenPrefix, tombPrefix = ARGV[6], ARGV[7]
local bytesMax = tonumber(ARGV[8])
local alerts, bad = tonumber(ARGV[9]), tonumber(ARGV[10])
local first, each = 12, 5

local backlog = redis.call('XLEN', KEYS[1])
local waiting = tonumber(redis.call('GET', KEYS[4]) or '0')
local bytes = 0
for i = 0, alerts - 1 do bytes = bytes + #ARGV[first + i * each + 1] end
if backlog + alerts > entriesMax or waiting + bytes > bytesMax then
  local new, newBytes, met = 0, 0, {}
  for i = 0, alerts - 1 do
    local id = ARGV[first + i * each]
    if not met[id] and redis.call('EXISTS', seenPrefix .. id) == 0 then
      new, newBytes = new + 1, newBytes + #ARGV[first + i * each + 1]
    end
    met[id] = true
  end
  local isFull = backlog + new > entriesMax or waiting + newBytes > bytesMax
  if new > 0 and isFull then return {0, backlog} end
end

local accepted, kept = 0, 0
for i = 0, alerts - 1 do
  local at = first + i * each
  local id, payload, fingerprint, ends = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local seen = seenPrefix .. id
  if ends ~= '' then
    local tomb = tombPrefix .. fingerprint
    local before = redis.call('GET', tomb)
    if not before or before < ends then redis.call('SET', tomb, ends, 'PX', ARGV[4]) end
  end
  if redis.call('SET', seen, '0', 'NX', 'PX', ARGV[3]) then
    redis.call('XADD', KEYS[1], '*', 'source', source, 'delivery', id, 'alert', payload)
    kept = kept + #payload
    accepted = accepted + 1
  else
    redis.call('INCR', seen)
    -- A repeat goes no further, but says that its source lives.
    local watchdog = ARGV[at + 4]
    if watchdog ~= '' then redis.call('ZADD', KEYS[5], 'XX', 'GT', ARGV[11], watchdog) end
  end
end
if kept > 0 then redis.call('INCRBY', KEYS[4], kept) end
local start = first + alerts * each
for i = 0, bad - 1 do
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[5], '*', 'entry', ARGV[start + i])
end

local function count(fate, by)
  if by > 0 then redis.call('HINCRBY', KEYS[2], source .. '|' .. fate, by) end
end
count('received', alerts + bad)
count('duplicate', alerts - accepted)
count('quarantined', bad)
return {1, accepted, alerts - accepted}
