-- Removes all records of an owner, unless the caller has not seen one of them.
-- KEYS: 1 index of expiring records, 2.. all other keys of the owner
-- Returns 1 when done, 0 when the index lists a key that is not among KEYS.
local seen = {}
for i = 2, #KEYS do seen[KEYS[i]] = true end
for _, k in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if not seen[k] then return 0 end
end
for i = 1, #KEYS do redis.call('UNLINK', KEYS[i]) end
return 1
