-- Ends a task of which some jobs have never been told again: their places stay unknown.
-- Prelude: task-ending.
-- Returns how many places that were.
if redis.call('HEXISTS', KEYS[1], 'partial') == 0 or redis.call('HGET', KEYS[1], 'state') ~= 'open' then return 0 end
local remaining = tonumber(redis.call('HGET', KEYS[1], 'remaining'))
count_ended(remaining)
return remaining
