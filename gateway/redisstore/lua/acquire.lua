-- Takes a lease that is free, or that the same replica holds; the epoch grows with every taking.
-- KEYS: 1 lease, 2 epoch, 3 parked lanes, then for each queue: how many entries are parked
-- ARGV: 1 replica, 2 milliseconds
-- Returns the epoch and the parked lanes, for their entries to be counted; where there are none, none are parked.
local cur = redis.call('GET', KEYS[1])
if cur and cur:match('^%d+:(.*)$') ~= ARGV[1] then return {err = 'HELD lease held by another replica'} end
local epoch = redis.call('INCR', KEYS[2])
redis.call('SET', KEYS[1], epoch .. ':' .. ARGV[1], 'PX', ARGV[2])
local lanes = redis.call('HKEYS', KEYS[3])
if #lanes == 0 then
  for i = 4, #KEYS do redis.call('DEL', KEYS[i]) end
end
return {epoch, lanes}
