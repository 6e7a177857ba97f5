-- Marks a job as sent, before its frame is written: a job that may have been sent is never called
-- unreachable (design 5.4).
-- KEYS[1] task hash  KEYS[2] jobs hash  KEYS[3] stdout  KEYS[4] stderr  KEYS[5] the agent's pending queue
-- ARGV[1] agent id  ARGV[2] job id  ARGV[3] now (Unix ms)  ARGV[4] row of a dispatched job (JSON)
-- Returns {'send', stdout bytes held, stderr bytes held, cancel reason or ''}, {'too_late'} or {'over'}.
local row = redis.call('HGET', KEYS[2], ARGV[1])
local state = row and cjson.decode(row).state
if state == 'queued' then
  if tonumber(ARGV[3]) > tonumber(redis.call('HGET', KEYS[1], 'notAfter')) then return { 'too_late' } end
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[4])
elseif state ~= 'dispatched' and state ~= 'acked' and state ~= 'running' then
  redis.call('ZREM', KEYS[5], ARGV[2])
  return { 'over' }
end
return {
  'send',
  redis.call('STRLEN', KEYS[3]),
  redis.call('STRLEN', KEYS[4]),
  redis.call('HGET', KEYS[1], 'cancel') or '',
}
