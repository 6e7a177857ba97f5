-- Writes the control state unless a newer revision is there.
-- KEYS[1] control state, JSON
-- ARGV[1] revision  ARGV[2] state, JSON
-- Returns 1 if written, 0 if what is there is newer.
local there = redis.call('GET', KEYS[1])
if there then
  local ok, state = pcall(cjson.decode, there)
  if ok and type(state) == 'table' and tonumber(state.revision) and tonumber(state.revision) > tonumber(ARGV[1]) then
    return 0
  end
end
redis.call('SET', KEYS[1], ARGV[2])
return 1
