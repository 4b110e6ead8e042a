-- Says that the last try of an entry ended without effect.
-- KEYS: 1 lease, 2 attempts
-- ARGV: 1 token, 2 entry
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {err = 'FENCED lease lost'} end
local was = redis.call('HGET', KEYS[2], ARGV[2])
if was then redis.call('HSET', KEYS[2], ARGV[2], was:match('^%d+')) end
return 0
