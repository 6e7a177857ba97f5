-- Claims what is due for one gateway: others see it again only when the claim has run out, so that
-- each item is settled by one of them (rule R5) and by another if that one dies.
-- KEYS[1] deadlines
-- ARGV[1] now (Unix ms)  ARGV[2] until when it is claimed  ARGV[3] how many at most
-- Returns the members, earliest first.
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, ARGV[3])
for _, member in ipairs(due) do
  redis.call('ZADD', KEYS[1], ARGV[2], member)
end
return due
