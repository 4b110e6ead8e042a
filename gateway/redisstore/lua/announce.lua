-- Announces a replica, and forgets those whose announcement has run out.
-- KEYS: 1 announcements: by replica, the time in milliseconds at which it runs out, a colon, and the note
-- ARGV: 1 replica, 2 milliseconds, 3 note
-- Returns all replicas, each followed by its note.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', now + ARGV[2]) .. ':' .. ARGV[3])
local all, live, last = redis.call('HGETALL', KEYS[1]), {}, 0
for i = 1, #all, 2 do
  local colon = all[i + 1]:find(':', 1, true)
  local ends = tonumber(all[i + 1]:sub(1, colon - 1))
  if ends <= now then
    redis.call('HDEL', KEYS[1], all[i])
  else
    live[#live + 1] = all[i]
    live[#live + 1] = all[i + 1]:sub(colon + 1)
    last = math.max(last, ends)
  end
end
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', last))
return live
