-- Takes in all entries of one webhook body at once, or none (rule R1).
--
-- KEYS 1 stream  2 fates  3 quarantine
-- ARGV 1 source  2 entriesMax  3 seenMs  4 tombstoneMs  5 quarantineMax  6 seen key prefix
--      7 tombstone key prefix  8 number of alerts  9 number of quarantined
--      then per alert: deliveryId, payload, fingerprint, end ('' while firing, else 20 digits)
--      then per quarantined: payload
-- Answers {1, accepted, duplicate} or {0, backlog} when the stream is full: then nothing changed.
local source, entriesMax = ARGV[1], tonumber(ARGV[2])
local seenPrefix, tombPrefix = ARGV[6], ARGV[7]
local alerts, bad = tonumber(ARGV[8]), tonumber(ARGV[9])
local first = 10

local backlog = redis.call('XLEN', KEYS[1])
if backlog + alerts > entriesMax then
  local new, met = 0, {}
  for i = 0, alerts - 1 do
    local id = ARGV[first + i * 4]
    if not met[id] and redis.call('EXISTS', seenPrefix .. id) == 0 then new = new + 1 end
    met[id] = true
  end
  if new > 0 and backlog + new > entriesMax then return {0, backlog} end
end

local accepted = 0
for i = 0, alerts - 1 do
  local at = first + i * 4
  local id, payload, fingerprint, ends = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local seen = seenPrefix .. id
  if ends ~= '' then
    local tomb = tombPrefix .. fingerprint
    local before = redis.call('GET', tomb)
    if not before or before < ends then redis.call('SET', tomb, ends, 'PX', ARGV[4]) end
  end
  if redis.call('SET', seen, '0', 'NX', 'PX', ARGV[3]) then
    redis.call('XADD', KEYS[1], '*', 'source', source, 'delivery', id, 'alert', payload)
    accepted = accepted + 1
  else
    redis.call('INCR', seen)
  end
end
local start = first + alerts * 4
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
