-- Counters and backlog of one moment, so that received = fates + backlog holds in every answer.
--
-- KEYS 1 stream  2 fates
-- Answers {backlog, id of the oldest entry or '', field, count, field, count, …}; fields are `source|received`, `source|fate`
-- or `source|fate|reason`.
local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
local answer = {redis.call('XLEN', KEYS[1]), oldest and oldest[1] or ''}
for _, text in ipairs(redis.call('HGETALL', KEYS[2])) do answer[#answer + 1] = text end
return answer
