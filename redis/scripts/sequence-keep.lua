-- Keeps the highest journal sequence that each agent has told, and finds newest sessions whose
-- journal is behind it: what an earlier session told, the newest one's journal must hold (rule R16).
-- KEYS[1] sequences  KEYS[2] owners
-- ARGV per session: agent id, sequence, the entry that session-open.lua returned or ''
-- Returns one word per session: 'kept' or 'behind'.
local words = {}
for at = 1, #ARGV, 3 do
  local highest = tonumber(redis.call('HGET', KEYS[1], ARGV[at]) or -1)
  local told = tonumber(ARGV[at + 1])
  local word = 'kept'
  if told > highest then
    redis.call('HSET', KEYS[1], ARGV[at], ARGV[at + 1])
  elseif told < highest and redis.call('HGET', KEYS[2], ARGV[at]) == ARGV[at + 2] then
    word = 'behind'
  end
  words[#words + 1] = word
end
return words
