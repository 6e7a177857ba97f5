-- Counts the distinct hosts that alert, per policy and per fault domain, in a window that ends with the
-- newest alert; a policy with too many of either is in a storm for as long as that lasts and one window
-- more (rule R14). Doing it again with the same alerts changes no count.
--
-- ARGV 1 alerting key prefix  2 storm key prefix  3 window, ms
--      then per alert: policy, host, hosts that may alert, where that limit comes from, its time (ms
--      of Redis), number of domains, domains
-- Answers per alert the storm of its policy as JSON, or ''. All keys share one hash tag.
local alertingPrefix, stormPrefix, window = ARGV[1], ARGV[2], tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local touched, alerts = {}, {}
local function alerting(what, host, at)
  local key = alertingPrefix .. what
  redis.call('ZADD', key, 'GT', at, host)
  touched[key] = 0
  return key
end
local at = 4
while at <= #ARGV do
  local host, time, count = ARGV[at + 1], ARGV[at + 4], tonumber(ARGV[at + 5])
  local alert = {
    policy = ARGV[at], limit = tonumber(ARGV[at + 2]), limitText = ARGV[at + 3], domains = {},
  }
  alert.own = alerting('policy:' .. alert.policy, host, time)
  for i = 1, count do
    local domain = ARGV[at + 5 + i]
    alert.domains[i] = { name = domain, key = alerting('domain:' .. domain, host, time) }
  end
  alerts[#alerts + 1] = alert
  at = at + 6 + count
end

for key in pairs(touched) do
  local newest = redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')[2]
  redis.call('ZREMRANGEBYSCORE', key, '-inf', newest - window)
  redis.call('PEXPIRE', key, 2 * window)
  touched[key] = redis.call('ZCARD', key)
end

local function excess(alert)
  if touched[alert.own] > alert.limit then return touched[alert.own], cjson.null end
  for _, domain in ipairs(alert.domains) do
    if touched[domain.key] > alert.limit then return touched[domain.key], domain.name end
  end
end

local answer, storms = {}, {}
for i, alert in ipairs(alerts) do
  local policy = alert.policy
  local key = stormPrefix .. policy
  if storms[policy] == nil then storms[policy] = redis.call('GET', key) or '' end
  local hosts, domain = excess(alert)
  if hosts then
    local storm = storms[policy] ~= '' and cjson.decode(storms[policy])
      or { id = tostring(now), domain = domain, hosts = 0, sinceMs = now }
    storm.limit, storm.limitText = alert.limit, alert.limitText
    storm.hosts = math.max(storm.hosts, hosts)
    storm.untilMs = now + window
    storms[policy] = cjson.encode(storm)
    redis.call('SET', key, storms[policy], 'PX', window)
  end
  answer[i] = policy
end
for i, policy in ipairs(answer) do answer[i] = storms[policy] end
return answer
