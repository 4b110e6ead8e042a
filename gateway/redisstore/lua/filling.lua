-- Says how long buckets take until they are full again, and spends nothing.
-- KEYS: for each bucket: when it would be full again
-- Returns microseconds for each, 0 for one that is full.
local clock = redis.call('TIME')
local now, out = clock[1] * 1000000 + clock[2], {}
for i = 1, #KEYS do
  out[i] = string.format('%.0f', math.max(0, tonumber(redis.call('GET', KEYS[i]) or 0) - now)) + 0
end
return out
