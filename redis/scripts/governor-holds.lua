-- Prelude of scripts that change holds: puts hosts in and takes them out, in all keys that know of
-- them, so that these never disagree. Prelude: governor-fence.
-- KEYS[1] meta  KEYS[2] held  KEYS[3] places  KEYS[4] domains  KEYS[5] services  KEYS[6] holders
-- ARGV[1] remediation id  ARGV[2] its set of agent ids  ARGV[3] domain set prefix  ARGV[4] service set prefix

local remediation_id, mine = ARGV[1], ARGV[2]

-- Lua hands over some thousand values at once; an even number keeps pairs together.
local at_once = 2000

local function in_pieces(command, key, values)
  for at = 1, #values, at_once do
    redis.call(command, key, unpack(values, at, math.min(at + at_once - 1, #values)))
  end
end

-- By agent id, of those that have the field.
local function fields_of(key, agent_ids)
  local found = {}
  for at = 1, #agent_ids, at_once do
    local last = math.min(at + at_once - 1, #agent_ids)
    local values = redis.call('HMGET', key, unpack(agent_ids, at, last))
    for offset, value in ipairs(values) do
      if value then found[agent_ids[at + offset - 1]] = value end
    end
  end
  return found
end

-- The set of a domain's or a service's held hosts; `members` are those that this script moves.
local sets = {}
local function set_of(prefix, index, name)
  local key = prefix .. name
  if not sets[key] then sets[key] = { key = key, index = index, name = name, members = {} } end
  return sets[key]
end

-- The sets that a host belongs to, from its place: JSON {domains, service}, a service only if the
-- host was healthy. Hosts side by side have the same text, which is read once.
local known_places = {}
local function place_of(text)
  local place = known_places[text]
  if place then return place end
  local told = cjson.decode(text)
  place = { domains = {}, sets = {} }
  for at, name in ipairs(told.domains) do
    place.domains[at] = set_of(ARGV[3], KEYS[4], name)
    place.sets[at] = place.domains[at]
  end
  if told.service then
    place.service = set_of(ARGV[4], KEYS[5], told.service)
    place.sets[#place.sets + 1] = place.service
  end
  known_places[text] = place
  return place
end

-- Names in the index of domains or of services, by its key: a call for each is most of what they cost.
local function note(names, set)
  names[set.index] = names[set.index] or {}
  table.insert(names[set.index], set.name)
end

local function gather_members(agent_ids, places)
  for _, agent_id in ipairs(agent_ids) do
    for _, set in ipairs(place_of(places[agent_id]).sets) do
      set.members[#set.members + 1] = agent_id
    end
  end
end

-- Gives hosts that nobody holds to the remediation.
local function put_in(agent_ids, places)
  if #agent_ids == 0 then return end
  local owners, texts = {}, {}
  for at, agent_id in ipairs(agent_ids) do
    owners[2 * at - 1] = agent_id
    owners[2 * at] = remediation_id
    texts[2 * at - 1] = agent_id
    texts[2 * at] = places[agent_id]
  end
  -- First what a full Redis refuses: after any other write it would be let through.
  in_pieces('HSET', KEYS[2], owners)
  in_pieces('HSET', KEYS[3], texts)
  in_pieces('SADD', mine, agent_ids)
  redis.call('SADD', KEYS[6], remediation_id)
  gather_members(agent_ids, places)
  local names = {}
  for _, set in pairs(sets) do
    if #set.members > 0 then
      in_pieces('SADD', set.key, set.members)
      note(names, set)
    end
  end
  for index, of in pairs(names) do in_pieces('SADD', index, of) end
end

-- Frees those that the remediation holds; returns how many these were.
local function take_out(agent_ids)
  local holders = fields_of(KEYS[2], agent_ids)
  local freed = {}
  for _, agent_id in ipairs(agent_ids) do
    if holders[agent_id] == remediation_id then
      freed[#freed + 1] = agent_id
      holders[agent_id] = nil -- Named twice it is freed once.
    end
  end
  if #freed == 0 then return 0 end
  gather_members(freed, fields_of(KEYS[3], freed))
  local emptied = {}
  for _, set in pairs(sets) do
    in_pieces('SREM', set.key, set.members)
    if redis.call('EXISTS', set.key) == 0 then note(emptied, set) end
  end
  for index, of in pairs(emptied) do in_pieces('SREM', index, of) end
  in_pieces('HDEL', KEYS[2], freed)
  in_pieces('HDEL', KEYS[3], freed)
  in_pieces('SREM', mine, freed)
  if redis.call('EXISTS', mine) == 0 then redis.call('SREM', KEYS[6], remediation_id) end
  return #freed
end
