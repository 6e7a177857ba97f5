-- Looks whether sessions are still their agents' newest. An owner that Redis has lost is written
-- again; of two sessions that do so the one that was opened later stays.
-- KEYS[1] owners
-- ARGV per session: agent id, the entry that session-open.lua returned
-- Returns one word per session: 'mine' or 'other'.
local words = {}
for at = 1, #ARGV, 2 do
  local there = redis.call('HGET', KEYS[1], ARGV[at])
  local word = 'other'
  if there == ARGV[at + 1] then
    word = 'mine'
  elseif not there or tonumber(string.match(there, '^%S+ (%d+)') or 0) < tonumber(string.match(ARGV[at + 1], '^%S+ (%d+)')) then
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
    word = 'mine'
  end
  words[#words + 1] = word
end
return words
