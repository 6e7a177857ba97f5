-- Prelude: Redis's own time. Deadlines follow this one clock, because those of gateways differ.
local function unix_ms()
  local time = redis.call('TIME')
  return time[1] .. string.format('%03d', math.floor(time[2] / 1000))
end
