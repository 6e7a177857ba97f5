-- Gives a use of an enrolment token back, unless the token has expired meanwhile.
-- KEYS[1] token hash
if redis.call('EXISTS', KEYS[1]) == 1 then redis.call('HINCRBY', KEYS[1], 'uses', 1) end
return 0
