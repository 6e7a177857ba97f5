-- Frees hosts that a remediation holds, and no other. Preludes: governor-fence, governor-holds.
-- ARGV[5..] agent ids
-- Returns how many were freed, or false if the holds are not to be trusted: then nothing has changed.
if not is_open then return false end
local agent_ids = {}
for at = 5, #ARGV do agent_ids[at - 4] = ARGV[at] end
return take_out(agent_ids)
