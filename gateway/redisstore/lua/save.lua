-- Applies changes of one owner's records, all or none.
-- KEYS: 1 index of expiring records, then one for each change: the hash of a lasting record's kind, or an expiring record itself
-- ARGV: for each change: verb (hset, hdel, set, del), name, '1' to fail when the record is there, milliseconds to live, value
for i = 2, #KEYS do
  local a = (i - 2) * 5
  if ARGV[a + 3] == '1' then
    local there
    if ARGV[a + 1] == 'hset' or ARGV[a + 1] == 'hdel' then
      there = redis.call('HEXISTS', KEYS[i], ARGV[a + 2])
    else
      there = redis.call('EXISTS', KEYS[i])
    end
    if there == 1 then return {err = 'EXISTS record exists'} end
  end
end
local now
for i = 2, #KEYS do
  local a = (i - 2) * 5
  local verb = ARGV[a + 1]
  if verb == 'hset' then
    redis.call('HSET', KEYS[i], ARGV[a + 2], ARGV[a + 5])
  elseif verb == 'hdel' then
    redis.call('HDEL', KEYS[i], ARGV[a + 2])
  elseif verb == 'del' then
    redis.call('DEL', KEYS[i])
    redis.call('ZREM', KEYS[1], KEYS[i])
  else
    if not now then
      local t = redis.call('TIME')
      now = t[1] * 1000 + math.floor(t[2] / 1000)
    end
    redis.call('SET', KEYS[i], ARGV[a + 5], 'PX', ARGV[a + 4])
    redis.call('ZADD', KEYS[1], now + ARGV[a + 4], KEYS[i])
  end
end
if now then -- the index lives as long as the last of what it lists
  redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
  local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
  redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', last + 1000))
end
return 0
