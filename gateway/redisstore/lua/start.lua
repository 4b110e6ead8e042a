-- Counts that somebody begins with an entry, unless that was counted so many times already.
-- KEYS: 1 lease, 2 attempts
-- ARGV: 1 token, 2 entry, 3 seconds that attempts live, 4 the most to count
-- Returns how often it was counted before. It stands beside the entry's attempts, under its id and '!'.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {err = 'FENCED lease lost'} end
local before = tonumber(redis.call('HGET', KEYS[2], ARGV[2] .. '!') or 0)
if before < tonumber(ARGV[4]) then
  redis.call('HSET', KEYS[2], ARGV[2] .. '!', before + 1)
  redis.call('EXPIRE', KEYS[2], ARGV[3])
end
return before
