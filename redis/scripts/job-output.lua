-- Adds a piece of output where it belongs; a repeated piece changes nothing.
-- KEYS[1] task hash  KEYS[2] jobs hash  KEYS[3] this stream  KEYS[4] the other stream
-- ARGV[1] agent id  ARGV[2] byte offset  ARGV[3] bytes  ARGV[4] ms the output is kept
-- Returns bytes added, or -1 no such task, -2 no such job, -3 a gap before the piece.
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 0 then return -2 end
local offset, held = tonumber(ARGV[2]), redis.call('STRLEN', KEYS[3])
if offset > held then return -3 end
local cap = tonumber(redis.call('HGET', KEYS[1], 'outputBytes')) - redis.call('STRLEN', KEYS[4])
local added = math.min(offset + #ARGV[3], cap) - held
if added <= 0 then return 0 end
redis.call('SETRANGE', KEYS[3], held, string.sub(ARGV[3], held - offset + 1, held - offset + added))
redis.call('PEXPIRE', KEYS[3], ARGV[4])
return added
