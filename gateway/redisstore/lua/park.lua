-- Moves entries with their attempts behind those already parked, and marks the lane: when its time is over by Redis' clock, and why
-- it waits. The lane counter stays: it counts both.
-- KEYS: 1 lease, 2 stream, 3 attempts, 4 park stream, 5 attempts of the park stream, 6 parked lanes, 7 how many entries are parked
-- ARGV: 1 token, 2 lane's field in the parked lanes, 3 milliseconds to wait, 4 reason, 5 seconds that attempts live, 6.. entries
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {err = 'FENCED lease lost'} end
local moved = 0
for i = 6, #ARGV do
  local e = redis.call('XRANGE', KEYS[2], ARGV[i], ARGV[i])[1]
  if e then
    local id = redis.call('XADD', KEYS[4], '*', unpack(e[2]))
    redis.call('XDEL', KEYS[2], ARGV[i])
    moved = moved + 1
    redis.call('HDEL', KEYS[3], ARGV[i] .. '!')
    local tries = redis.call('HGET', KEYS[3], ARGV[i])
    if tries then
      redis.call('HDEL', KEYS[3], ARGV[i])
      redis.call('HSET', KEYS[5], id, tries)
      redis.call('EXPIRE', KEYS[5], ARGV[5])
    end
  end
end
if moved > 0 then redis.call('INCRBY', KEYS[7], moved) end
local clock = redis.call('TIME')
local over = clock[1] * 1000 + math.floor(clock[2] / 1000) + ARGV[3]
redis.call('HSET', KEYS[6], ARGV[2], string.format('%.0f', over) .. ':' .. ARGV[4])
return 0
