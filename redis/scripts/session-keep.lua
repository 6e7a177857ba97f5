-- Looks whether sessions are still their agents' newest. One that Redis has lost is written
-- again; of two sessions that do so the one that was opened later stays.
-- KEYS[1] owners  KEYS[2] the session hash of an agent, with * for its id
-- ARGV[1] gateway id  ARGV[2..] per session: agent id, the entry that session-open.lua returned, session id, connected at (Unix ms), version
-- Returns one word per session: 'mine', 'again' (mine, and written again) or 'other'.
local before, after = string.match(KEYS[2], '^(.*)%*(.*)$')
local words = {}
for at = 2, #ARGV, 5 do
  local agent_id, entry = ARGV[at], ARGV[at + 1]
  local there = redis.call('HGET', KEYS[1], agent_id)
  local word = 'other'
  if there == entry then
    word = 'mine'
  elseif not there or tonumber(string.match(there, '^%S+ (%d+)') or 0) < tonumber(string.match(entry, '^%S+ (%d+)')) then
    redis.call('HSET', before .. agent_id .. after,
      'sessionId', ARGV[at + 2], 'gatewayId', ARGV[1], 'connectedAt', ARGV[at + 3], 'version', ARGV[at + 4])
    redis.call('HSET', KEYS[1], agent_id, entry)
    word = 'again'
  end
  words[#words + 1] = word
end
return words
