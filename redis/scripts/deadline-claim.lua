-- Claims what is due for one gateway: others see it again only when the claim has run out, so that
-- each item is settled by one of them (rule R5) and by another if that one dies.
-- Prelude: redis-time. KEYS[1] deadlines
-- ARGV[1] for how long it is claimed (ms)  ARGV[2] how many at most
-- Returns the members, earliest first.
local now = unix_ms()
local claimed_until = string.format('%d', tonumber(now) + tonumber(ARGV[1]))
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[2])
for _, member in ipairs(due) do
  redis.call('ZADD', KEYS[1], claimed_until, member)
end
return due
