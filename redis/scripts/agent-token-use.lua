-- Takes one use of an enrolment token, if there is one left.
-- KEYS[1] token hash
-- Returns {'granted', grant (JSON)}, {'spent'} or {'unknown'}; a token that expired is unknown.
local uses = tonumber(redis.call('HGET', KEYS[1], 'uses'))
if not uses then return { 'unknown' } end
if uses < 1 then return { 'spent' } end
redis.call('HINCRBY', KEYS[1], 'uses', -1)
return { 'granted', redis.call('HGET', KEYS[1], 'grant') }
