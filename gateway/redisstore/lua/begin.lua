-- Counts a try of an entry and writes id maps.
-- KEYS: 1 lease, 2 attempts, 3.. map hashes
-- ARGV: 1 token, 2 entry, 3 seconds that attempts live, 4 time at which the maps expire, then for each map hash: number of lines, field, value, ...
-- Returns the number of the try, with '?' when the one before never said how it ended. The attempts hash holds the same text.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {err = 'FENCED lease lost'} end
local was = redis.call('HGET', KEYS[2], ARGV[2]) or '0'
local n, open = was:match('^(%d+)(%??)$')
n = string.format('%d', n + 1)
redis.call('HSET', KEYS[2], ARGV[2], n .. '?')
redis.call('EXPIRE', KEYS[2], ARGV[3])
local at = 5
for k = 3, #KEYS do
  for _ = 1, ARGV[at] do
    redis.call('HSET', KEYS[k], ARGV[at + 1], ARGV[at + 2])
    at = at + 2
  end
  at = at + 1
  redis.call('EXPIREAT', KEYS[k], ARGV[4])
end
return n .. open
