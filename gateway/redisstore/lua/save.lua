-- Applies changes of one owner's records, all or none.
-- KEYS: 1 index of expiring records, then one for each change: the hash of a lasting record's kind, or an expiring record itself
-- ARGV: for each change: verb (hset, hdel, set, del), name, condition ('', absent, was), milliseconds to live, value, what it was
-- A record that holds the new value already is as good as one that holds what it was: the script may run twice.
for i = 2, #KEYS do
  local a = (i - 2) * 6
  if ARGV[a + 3] ~= '' then
    local lasting = ARGV[a + 1] == 'hset' or ARGV[a + 1] == 'hdel'
    local now, after
    if lasting then now = redis.call('HGET', KEYS[i], ARGV[a + 2]) else now = redis.call('GET', KEYS[i]) end
    after = (ARGV[a + 1] == 'hset' or ARGV[a + 1] == 'set') and ARGV[a + 5]
    if ARGV[a + 3] == 'absent' then
      if now then return {err = 'EXISTS record exists'} end
    elseif now ~= ARGV[a + 6] and now ~= after then
      return {err = 'CHANGED record changed meanwhile'}
    end
  end
end
local now
for i = 2, #KEYS do
  local a = (i - 2) * 6
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
