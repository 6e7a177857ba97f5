-- Counters and backlog of one moment, so that received = fates + backlog holds in every answer.
--
-- KEYS 1 stream  2 fates
-- Answers {backlog, field, count, field, count, …}; fields are `source|received`, `source|fate`
-- or `source|fate|reason`.
local answer = {redis.call('XLEN', KEYS[1])}
for _, text in ipairs(redis.call('HGETALL', KEYS[2])) do answer[#answer + 1] = text end
return answer
