-- Notes how many entries are parked, as a new owner has counted them.
-- KEYS: 1 lease, then for each queue: how many entries are parked
-- ARGV: 1 token, then the numbers
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {err = 'FENCED lease lost'} end
for i = 2, #KEYS do
  if ARGV[i] == '0' then
    redis.call('DEL', KEYS[i])
  else
    redis.call('SET', KEYS[i], ARGV[i])
  end
end
return 0
