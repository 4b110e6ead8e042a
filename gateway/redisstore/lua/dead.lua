-- Moves an entry to the dead letters, and forgets those past their time.
-- KEYS: 1 lease, 2 stream, 3 attempts, 4 lane counters, 5 dead letters, 6 how many entries are parked (absent where the stream is not a parked lane's)
-- ARGV: 1 token, 2 entry, 3 queue it came from, 4 reason, 5 time of death, 6 smallest id to keep, 7 milliseconds that dead letters live
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {err = 'FENCED lease lost'} end
local e = redis.call('XRANGE', KEYS[2], ARGV[2], ARGV[2])[1]
if not e then return 0 end
local f = e[2]
redis.call('XADD', KEYS[5], 'MINID', ARGV[6], '*',
  f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8], f[9], f[10], 'f', ARGV[3], 'w', ARGV[4], 'd', ARGV[5])
redis.call('PEXPIRE', KEYS[5], ARGV[7])
redis.call('XDEL', KEYS[2], ARGV[2])
redis.call('HDEL', KEYS[3], ARGV[2], ARGV[2] .. '!')
if redis.call('HINCRBY', KEYS[4], f[2], -1) <= 0 then redis.call('HDEL', KEYS[4], f[2]) end
if KEYS[6] and redis.call('DECRBY', KEYS[6], 1) <= 0 then redis.call('DEL', KEYS[6]) end
return 1
