-- Gives a lease back; a lost one stays with its new holder.
-- KEYS: 1 lease
-- ARGV: 1 token
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
