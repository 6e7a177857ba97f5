-- Leave to open one mailbox: at a steady rate, some at once, and none in a storm (rule R14).
--
-- KEYS 1 when the rate allows the next one if none is at once, ms of Redis  2 storm of the policy
-- ARGV 1 ms between two  2 how many may be at once
-- Answers {'go'}, {'wait', ms} or {'storm', its JSON}.
local storm = redis.call('GET', KEYS[2])
if storm then return {'storm', storm} end
local between, atOnce = tonumber(ARGV[1]), tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local due = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local early = due - now - between * (atOnce - 1)
if early > 0 then return {'wait', math.ceil(early)} end
redis.call('SET', KEYS[1], string.format('%.3f', due + between), 'PX', math.ceil(between * (atOnce + 1)))
return {'go'}
