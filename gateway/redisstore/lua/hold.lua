-- Lets no token of a bucket be spent for a time.
-- KEYS: 1 bucket
-- ARGV: 1 microseconds
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local full = now + ARGV[1]
if full > tonumber(redis.call('GET', KEYS[1]) or 0) then
  redis.call('SET', KEYS[1], string.format('%.0f', full), 'PX', string.format('%.0f', math.max(1, math.ceil(ARGV[1] / 1000))))
end
return 1
