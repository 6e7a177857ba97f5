-- Ends a rebuild: from now on holds are to be trusted (rule R6). Preludes: governor-fence, redis-time.
-- ARGV[1] token of the rebuild
-- Returns 1, or 0 if this rebuild does not go on: then nothing has changed.
if not is_rebuilding(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'runId', run_id, 'rebuiltAt', unix_ms())
redis.call('HDEL', KEYS[1], 'rebuilding', 'rebuildingRun')
return 1
