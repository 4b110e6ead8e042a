-- Extends a lease.
-- KEYS: 1 lease
-- ARGV: 1 token, 2 milliseconds
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {err = 'FENCED lease lost'} end
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
