-- Ends one entry: out of the stream, its fates counted, its record kept. Doing it again changes
-- nothing, so two dispatchers that both handled an entry count it once.
--
-- KEYS 1 stream  2 fates  3 record  4 records  5 quarantine  6 bytes waiting
-- ARGV 1 group  2 entry id  3 source  4 record JSON ('' for none)  5 deliveryId  6 receivedAt ms
--      7 recordMs  8 recordsMax  9 record key prefix  10 quarantined JSON ('' for none)
--      11 quarantineMax  12 copies (policies beyond the first, counted as received too)
--      then one fate per outcome: 'handed', 'suppressed|resolved', …
-- Answers 1, or 0 when the entry was gone already.
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
local row = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])[1]
if row then
  for i = 1, #row[2], 2 do
    if row[2][i] == 'alert' then redis.call('DECRBY', KEYS[6], #row[2][i + 1]) end
  end
end
if redis.call('XDEL', KEYS[1], ARGV[2]) == 0 then return 0 end
if redis.call('XLEN', KEYS[1]) == 0 then redis.call('DEL', KEYS[6]) end

local source = ARGV[3]
for i = 13, #ARGV do redis.call('HINCRBY', KEYS[2], source .. '|' .. ARGV[i], 1) end
if tonumber(ARGV[12]) > 0 then redis.call('HINCRBY', KEYS[2], source .. '|received', ARGV[12]) end

if ARGV[10] ~= '' then
  redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[11], '*', 'entry', ARGV[10])
end
if ARGV[4] ~= '' then
  redis.call('SET', KEYS[3], ARGV[4], 'PX', ARGV[7])
  redis.call('ZADD', KEYS[4], ARGV[6], ARGV[5])
  local over = redis.call('ZCARD', KEYS[4]) - tonumber(ARGV[8])
  if over > 0 then
    local oldest = redis.call('ZPOPMIN', KEYS[4], over)
    for i = 1, #oldest, 2 do redis.call('DEL', ARGV[9] .. oldest[i]) end
  end
end
return 1
