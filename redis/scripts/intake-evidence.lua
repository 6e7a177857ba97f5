-- What the intake knows that speaks against acting on entries (rule R4).
--
-- KEYS 1 since when this Redis has seen everything, 20 digits of nanoseconds
-- ARGV 1 tombstone key prefix  2 doubt key prefix  3 ms a doubt is remembered
--      then per entry: fingerprint, its start ('' unless it fires, else 20 digits), entry id
-- Answers per entry {tombstone or '', 1 if doubtful else 0}, or false when KEYS 1 is missing.
--
-- A firing from before `since` may have been resolved in what was lost. The first one is doubtful,
-- also when it is read again; any later one of the fingerprint is the repeat that settles it.
local since = redis.call('GET', KEYS[1])
if not since then return false end

local answer = {}
for at = 4, #ARGV, 3 do
  local fingerprint, starts, id = ARGV[at], ARGV[at + 1], ARGV[at + 2]
  local tomb = redis.call('GET', ARGV[1] .. fingerprint) or ''
  local doubtful = 0
  if starts ~= '' and starts < since and tomb == '' then
    local doubt = ARGV[2] .. fingerprint
    local first = redis.call('GET', doubt)
    if not first then
      redis.call('SET', doubt, id, 'PX', ARGV[3])
      first = id
    end
    if first == id then doubtful = 1 end
  end
  answer[#answer + 1] = { tomb, doubtful }
end
return answer
