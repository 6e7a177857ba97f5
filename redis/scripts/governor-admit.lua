-- Judges hosts one after the other and holds those that are granted (invariant 5, rule R12). The
-- rule is `admit` of domain/blast-radius.ts, which is the model of this script.
-- Preludes: governor-fence, governor-holds.
-- ARGV[5] caps: JSON, domain → limit  ARGV[6] floors: JSON, service → {floor, healthy}
-- ARGV[7..] per host: agent id, place (see governor-holds)
-- Returns false if holds are not to be trusted: then nothing has changed. Else per host
-- {} granted, {'held', remediation id}, {'cap', domain, used} or {'floor', service, available}.
if not is_open then return false end

local agent_ids = {}
for at = 7, #ARGV, 2 do agent_ids[#agent_ids + 1] = ARGV[at] end
local holders = fields_of(KEYS[2], agent_ids)
local caps, floors = cjson.decode(ARGV[5]), cjson.decode(ARGV[6])

-- How many hosts a set has, with those granted just now; looked up once.
local function size_of(set)
  if not set.size then set.size = redis.call('SCARD', set.key) end
  return set.size
end

local function refusal_of(place)
  for _, domain in ipairs(place.domains) do
    local limit = caps[domain.name]
    if limit and size_of(domain) + 1 > limit then return { 'cap', domain.name, domain.size } end
  end
  local of = place.service and floors[place.service.name]
  if not of then return nil end
  local available = of.healthy - size_of(place.service)
  if available - 1 < of.floor then return { 'floor', place.service.name, available } end
end

local granted = {}
local verdicts, taken, places = {}, {}, {}
for at, agent_id in ipairs(agent_ids) do
  local holder = holders[agent_id]
  if holder then
    verdicts[at] = holder == remediation_id and granted or { 'held', holder }
  else
    local place = place_of(ARGV[6 + 2 * at])
    local refusal = refusal_of(place)
    verdicts[at] = refusal or granted
    if not refusal then
      holders[agent_id] = remediation_id
      taken[#taken + 1] = agent_id
      places[agent_id] = ARGV[6 + 2 * at]
      -- Every set with a limit was looked up to judge this host.
      for _, set in ipairs(place.sets) do
        if set.size then set.size = set.size + 1 end
      end
    end
  end
end
put_in(taken, places)
return verdicts
