-- Begins to rebuild the holds of a run of Redis that has none to be trusted (rule R6): what is there
-- goes. A rebuild of this run that goes on already is joined. Prelude: governor-fence.
-- KEYS[2] held  KEYS[3] places  KEYS[4] domains  KEYS[5] services  KEYS[6] holders
-- ARGV[1] a token that no other attempt has  ARGV[2] domain set prefix  ARGV[3] service set prefix
-- ARGV[4] holder set prefix
-- Returns the token of the rebuild that goes on, or false if the holds are to be trusted.
if is_open then return false end
local there = redis.call('HGET', KEYS[1], 'rebuilding')
if there and is_rebuilding(there) then return there end

-- First what a full Redis refuses: then nothing has changed.
redis.call('HSET', KEYS[1], 'rebuilding', ARGV[1], 'rebuildingRun', run_id)
-- The run that these holds were of may come back, promoted once more, and must not find them.
redis.call('HDEL', KEYS[1], 'runId', 'rebuiltAt')
for at, prefix in ipairs({ ARGV[2], ARGV[3], ARGV[4] }) do
  for _, name in ipairs(redis.call('SMEMBERS', KEYS[3 + at])) do
    redis.call('UNLINK', prefix .. name)
  end
end
redis.call('UNLINK', KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6])
return ARGV[1]
