-- Counts a try of an entry and writes id maps.
-- KEYS: 1 lease, 2 attempts, then for each line of a map: its hash, and the hash that it overflows into
-- ARGV: 1 token, 2 entry, 3 seconds that attempts live, 4 time at which maps expire, 5 lines after which a map hash overflows,
--   then for each line: field, value
-- Returns the number of the try, with '?' when the one before never said how it ended. The attempts hash holds the same text.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {err = 'FENCED lease lost'} end
local n, open = '1', ''
if redis.call('HSETNX', KEYS[2], ARGV[2], '1?') == 0 then -- not the first try, as most are
  n, open = redis.call('HGET', KEYS[2], ARGV[2]):match('^(%d+)(%??)$')
  n = string.format('%d', n + 1)
  redis.call('HSET', KEYS[2], ARGV[2], n .. '?')
end
redis.call('EXPIRE', KEYS[2], ARGV[3])
local at, max = 6, tonumber(ARGV[5])
local hash, lines -- the lines of a call mostly share a hash
for k = 3, #KEYS, 2 do
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
  if had == 0 then redis.call('EXPIREAT', to, ARGV[4]) end
  if to == hash then lines = lines + new end
  at = at + 2
end
return n .. open
