-- Clears the mark of a lane whose park stream is empty.
-- KEYS: 1 lease, 2 park stream, 3 attempts of the park stream, 4 parked lanes
-- ARGV: 1 token, 2 lane's field in the parked lanes
-- Returns 1 when the lane is parked no more.
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {err = 'FENCED lease lost'} end
if redis.call('XLEN', KEYS[2]) > 0 then return 0 end
redis.call('DEL', KEYS[2], KEYS[3])
redis.call('HDEL', KEYS[4], ARGV[2])
return 1
