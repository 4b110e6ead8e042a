-- Puts a dead letter at the end of the queue it came from.
-- KEYS: 1 dead letters, 2 stream, 3 lane counters
-- ARGV: 1 dead letter, 2 channel to wake or ''
-- Returns the new id.
local e = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[1])[1]
if not e then return {err = 'GONE no such dead letter'} end
local f = e[2]
local id = redis.call('XADD', KEYS[2], '*', f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8], f[9], f[10])
redis.call('HINCRBY', KEYS[3], f[2], 1)
redis.call('XDEL', KEYS[1], ARGV[1])
if ARGV[2] ~= '' then redis.call('PUBLISH', ARGV[2], '') end
return id
