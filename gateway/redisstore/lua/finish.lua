-- Removes entries that are done and writes id maps.
-- KEYS: 1 lease, 2 stream, 3 attempts, 4 lane counters, then for each line of a map: its hash, and the hash that it overflows into;
--   last, where the stream is a parked lane's, how many entries are parked
-- ARGV: 1 token, 2 time at which maps expire, 3 lines after which a map hash overflows, 4 number of entries, then for each
--   entry: id, lane, then for each line: field, value
-- Returns how many entries were removed.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {err = 'FENCED lease lost'} end
local removed, at, max = 0, 5, tonumber(ARGV[3])
for _ = 1, ARGV[4] do
  local id, lane = ARGV[at], ARGV[at + 1]
  at = at + 2
  if redis.call('XDEL', KEYS[2], id) == 1 then
    redis.call('HDEL', KEYS[3], id, id .. '!')
    local n = redis.call('HGET', KEYS[4], lane)
    if n and n + 0 > 1 then
      redis.call('HINCRBY', KEYS[4], lane, -1)
    elseif n then
      redis.call('HDEL', KEYS[4], lane)
    end
    removed = removed + 1
  end
end
local hash, lines -- the lines of a call mostly share a hash
for k = 5, #KEYS - 1, 2 do
  if KEYS[k] ~= hash then
    hash = KEYS[k]
    lines = redis.call('HLEN', KEYS[k])
  end
  local to, had = hash, lines
  if lines >= max then
    to = KEYS[k + 1]
    had = redis.call('HLEN', KEYS[k + 1])
  end
  local new = redis.call('HSET', to, ARGV[at], ARGV[at + 1])
  if had == 0 then redis.call('EXPIREAT', to, ARGV[2]) end
  if to == hash then lines = lines + new end
  at = at + 2
end
if removed > 0 and #KEYS % 2 == 1 and redis.call('DECRBY', KEYS[#KEYS], removed) <= 0 then redis.call('DEL', KEYS[#KEYS]) end
return removed
