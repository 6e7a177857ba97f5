-- Forgets who owns agents' sessions, unless newer ones took over.
-- KEYS[1] owners
-- ARGV per session: agent id, the entry that session-open.lua returned
-- Returns nothing.
for at = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[at]) == ARGV[at + 1] then redis.call('HDEL', KEYS[1], ARGV[at]) end
end
