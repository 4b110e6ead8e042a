-- Removes entries that are done and writes id maps.
-- KEYS: 1 lease, 2 stream, 3 attempts, 4 lane counters, 5.. map hashes
-- ARGV: 1 token, 2 time at which the maps expire, 3 number of entries, entries, then for each map hash: number of lines, field, value, ...
-- Returns how many entries were removed.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {err = 'FENCED lease lost'} end
local removed, at = 0, 4
for _ = 1, ARGV[3] do
  local id = ARGV[at]
  at = at + 1
  local e = redis.call('XRANGE', KEYS[2], id, id)[1]
  if e then
    local lane = e[2][2]
    redis.call('XDEL', KEYS[2], id)
    redis.call('HDEL', KEYS[3], id)
    if redis.call('HINCRBY', KEYS[4], lane, -1) <= 0 then redis.call('HDEL', KEYS[4], lane) end
    removed = removed + 1
  end
end
for k = 5, #KEYS do
  for _ = 1, ARGV[at] do
    redis.call('HSET', KEYS[k], ARGV[at + 1], ARGV[at + 2])
    at = at + 2
  end
  at = at + 1
  redis.call('EXPIREAT', KEYS[k], ARGV[2])
end
return removed
