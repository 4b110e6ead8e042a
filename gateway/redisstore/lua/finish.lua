-- Removes entries that are done and writes id maps.
-- KEYS: 1 lease, 2 stream, 3 attempts, 4 lane counters, then for each line of a map: its hash, and the hash that it overflows into
-- ARGV: 1 token, 2 time at which maps expire, 3 lines after which a map hash overflows, 4 number of entries, entries,
--   then for each line: field, value
-- Returns how many entries were removed.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {err = 'FENCED lease lost'} end
local removed, at = 0, 5
for _ = 1, ARGV[4] do
  local id = ARGV[at]
  at = at + 1
  local e = redis.call('XRANGE', KEYS[2], id, id)[1]
  if e then
    local lane = e[2][2]
    redis.call('XDEL', KEYS[2], id)
    redis.call('HDEL', KEYS[3], id, id .. '!')
    if redis.call('HINCRBY', KEYS[4], lane, -1) <= 0 then redis.call('HDEL', KEYS[4], lane) end
    removed = removed + 1
  end
end
for k = 5, #KEYS, 2 do
  local lines = redis.call('HLEN', KEYS[k])
  local to = KEYS[k]
  if lines >= tonumber(ARGV[3]) then to = KEYS[k + 1] end
  redis.call('HSET', to, ARGV[at], ARGV[at + 1])
  if lines == 0 or to ~= KEYS[k] then redis.call('EXPIREAT', to, ARGV[2]) end
  at = at + 2
end
return removed
