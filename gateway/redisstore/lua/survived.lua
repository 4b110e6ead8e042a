-- Forgets how often somebody began with an entry.
-- KEYS: 1 lease, 2 attempts
-- ARGV: 1 token, 2 entry
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {err = 'FENCED lease lost'} end
return redis.call('HDEL', KEYS[2], ARGV[2] .. '!')
