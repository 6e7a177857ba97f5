-- A task as it stands in one step, or without its jobs if these are many: they are read in slices then.
-- KEYS[1] task hash  KEYS[2] jobs hash  ARGV[1] how many jobs are read at once
-- Returns nothing if there is no such task, else {key, state, agent ids or '', callback url or '', reference or '',
-- '1' if only some of its jobs have told of it, how many are queued or '' for all, jobs (agent id, row, …)}; jobs are false where they are many.
local head = redis.call('HMGET', KEYS[1], 'key', 'state', 'agents', 'callbackUrl', 'reference', 'partial', 'queued', 'size')
if not head[1] then return false end
-- Without the list of its agents nobody knows which rows to ask for.
local is_small = not head[3] or tonumber(head[8]) <= tonumber(ARGV[1])
local jobs = is_small and redis.call('HGETALL', KEYS[2])
return { head[1], head[2], head[3] or '', head[4] or '', head[5] or '', head[6] and '1' or '', head[7] or '', jobs }
