-- Prelude of the scripts that keep the jobs of a task, each job once: their rows, and what can run in the queues.
-- After the prelude task-ending, whose keys it uses. KEYS[6] the pending queue of an agent, with * for its id: those of 20,000 are 20,000 keys less to send
-- `ids` holds the agents' ids from `first` to `last`; `row_of` gives the row of an agent's job (JSON).
local function keep_rows(ids, first, last, created_at, row_of)
  local before, after = string.match(KEYS[6], '^(.*)%*(.*)$')
  local rows, ended = {}, 0
  for at = first, last do
    local agent_id = ids[at]
    local row = row_of(agent_id)
    rows[#rows + 1] = agent_id
    rows[#rows + 1] = row
    -- In pieces: Lua hands over some thousand values at once, and a job is two.
    if #rows == 1000 or at == last then
      redis.call('HSET', KEYS[2], unpack(rows))
      rows = {}
    end
    if rank_of(row) == final then
      ended = ended + 1
    else
      redis.call('ZADD', before .. agent_id .. after, created_at, ARGV[1] .. '.' .. agent_id)
    end
  end
  count_ended(ended)
end

-- The first ids of a text, commas between, at most `count`: as a list and as a set.
local function ids_of(text, count)
  local list, set = {}, {}
  for id in string.gmatch(text, '[^,]+') do
    if #list == count then break end
    list[#list + 1] = id
    set[id] = true
  end
  return list, set
end
