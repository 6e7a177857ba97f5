-- Gives hosts to the remediation that says it holds them, while holds are rebuilt (rule R6). Caps and
-- floors are not asked: these hosts are touched already. A host that another one was given before
-- stays there. Preludes: governor-fence, governor-holds.
-- ARGV[5] token of the rebuild  ARGV[6..] per host: agent id, place (as of governor-admit)
-- Returns {agent id, remediation id} per host that another one holds, or false if this rebuild does
-- not go on: then nothing has changed.
if not is_rebuilding(ARGV[5]) then return false end

local agent_ids, places = {}, {}
for at = 6, #ARGV, 2 do
  agent_ids[#agent_ids + 1] = ARGV[at]
  places[ARGV[at]] = places[ARGV[at]] or ARGV[at + 1]
end
local holders = fields_of(KEYS[2], agent_ids)
local free, others = {}, {}
for _, agent_id in ipairs(agent_ids) do
  local holder = holders[agent_id]
  if not holder then
    free[#free + 1] = agent_id
    holders[agent_id] = remediation_id
  elseif holder ~= remediation_id then
    others[#others + 1] = { agent_id, holder }
  end
end
put_in(free, places)
return others
