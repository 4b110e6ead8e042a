-- Finds the values of a lane's id maps, newest bucket first.
-- KEYS: for each bucket, newest first: its map hash, then for each field the hash that the field overflows into
-- ARGV: 1 lines after which a map hash overflows, 2.. fields
-- Returns the values in the order of the fields.
local n = #ARGV - 1
local values, missing = {}, n
for i = 1, n do values[i] = false end
for k = 1, #KEYS, n + 1 do
  local lines = redis.call('HLEN', KEYS[k])
  for i = 1, n do
    if lines > 0 and not values[i] then
      local v -- what overflowed is newer than what stands in a full hash under the same field
      if lines >= tonumber(ARGV[1]) then v = redis.call('HGET', KEYS[k + i], ARGV[i + 1]) end
      v = v or redis.call('HGET', KEYS[k], ARGV[i + 1])
      if v then
        values[i] = v
        missing = missing - 1
      end
    end
  end
  if missing == 0 then break end
end
return values
