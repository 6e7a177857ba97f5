-- Writes the control state unless a newer revision is there. What is no revision (no whole number up
-- to 9e15, which leaves room to go past it exactly) is damage and gives way.
-- KEYS[1] control state, JSON
-- ARGV[1] revision  ARGV[2] state, JSON
-- Returns the revision that stands now: that of ARGV[1] if written.
local there = redis.call('GET', KEYS[1])
if there then
  local ok, state = pcall(cjson.decode, there)
  local revision = ok and type(state) == 'table' and state.revision
  if type(revision) == 'number' and revision <= 9e15 and revision == math.floor(revision)
    and revision > tonumber(ARGV[1]) then
    return revision
  end
end
redis.call('SET', KEYS[1], ARGV[2])
return tonumber(ARGV[1])
