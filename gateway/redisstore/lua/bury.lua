-- Stores a dead letter, and forgets those past their time.
-- KEYS: 1 dead letters
-- ARGV: 1 smallest id to keep, 2 milliseconds that dead letters live, 3 lane, 4 kind, 5 account, 6 at, 7 payload, 8 queue, 9 reason, 10 time of death
local id = redis.call('XADD', KEYS[1], 'MINID', ARGV[1], '*', 'l', ARGV[3], 'k', ARGV[4], 'a', ARGV[5], 't', ARGV[6], 'p', ARGV[7],
  'f', ARGV[8], 'w', ARGV[9], 'd', ARGV[10])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return id
