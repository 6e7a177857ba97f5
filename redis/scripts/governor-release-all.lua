-- Frees every host that a remediation holds. Preludes: governor-fence, governor-holds.
-- Returns how many were freed, or false if the holds are not to be trusted: then nothing has changed.
if not is_open then return false end
return take_out(redis.call('SMEMBERS', mine))
