-- Adds a piece of output where it belongs (rule X11): to the head of its stream until that is full,
-- then to the tail, of which only the end is kept. A repeated piece changes nothing.
-- KEYS[1] task hash  KEYS[2] jobs hash  KEYS[3] the job's output, a hash of `<stream>:head`,
--   `<stream>:tail` and `<stream>:from`, the offset of the tail's first byte
-- ARGV[1] agent id  ARGV[2] stream  ARGV[3] the other stream  ARGV[4] byte offset  ARGV[5] bytes
-- ARGV[6] ms the output is kept  ARGV[7] bytes of a head  ARGV[8] bytes of both tails
-- Returns bytes that were new, or -1 no such task, -2 no such job, -3 a gap before the head is full.
if redis.call('EXISTS', KEYS[1]) == 0 then return -1 end
if redis.call('HEXISTS', KEYS[2], ARGV[1]) == 0 then return -2 end
local stream, other, head_max, tail_max = ARGV[2], ARGV[3], tonumber(ARGV[7]), tonumber(ARGV[8])

local function lengths(name)
  local head = redis.call('HSTRLEN', KEYS[3], name .. ':head')
  local tail = redis.call('HSTRLEN', KEYS[3], name .. ':tail')
  local from = tonumber(redis.call('HGET', KEYS[3], name .. ':from') or head_max)
  return head, tail, tail > 0 and from + tail or head
end

-- Keeps the last `count` bytes of a tail whose first byte is at `from`.
local function keep_tail(name, tail, from, count)
  local over = math.max(0, #tail - count)
  redis.call('HSET', KEYS[3], name .. ':tail', string.sub(tail, over + 1), name .. ':from', from + over)
end

local head, tail, held = lengths(stream)
local _, other_tail, other_held = lengths(other)
local offset = tonumber(ARGV[4])
if offset > held and head < head_max then return -3 end
local cap = tonumber(redis.call('HGET', KEYS[1], 'outputBytes')) - other_held
local first, last = math.max(offset, held), math.min(offset + #ARGV[5], cap)
if last <= first then return 0 end
local fresh = string.sub(ARGV[5], first - offset + 1, last - offset)

if first < head_max then
  local whole = (redis.call('HGET', KEYS[3], stream .. ':head') or '') .. fresh
  redis.call('HSET', KEYS[3], stream .. ':head', string.sub(whole, 1, head_max))
  fresh = string.sub(whole, head_max + 1)
  first = math.max(first, head_max)
end
if #fresh > 0 then
  local from = first
  if tail > 0 and first == held then
    fresh = redis.call('HGET', KEYS[3], stream .. ':tail') .. fresh
    from = first - tail
  end
  local half = tail_max / 2
  local kept = math.min(#fresh, math.max(half, tail_max - other_tail))
  keep_tail(stream, fresh, from, kept)
  if kept + other_tail > tail_max then
    -- The other stream had more than half, which nobody needed until now.
    local name = other .. ':'
    local others = redis.call('HMGET', KEYS[3], name .. 'tail', name .. 'from')
    keep_tail(other, others[1], tonumber(others[2]), tail_max - kept)
  end
end
redis.call('PEXPIRE', KEYS[3], ARGV[6])
return last - math.max(offset, held)
