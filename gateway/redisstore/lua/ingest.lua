-- Appends an entry unless its dedupe key was seen, its lane or queue is full, or the time for it is over.
-- KEYS: 1 stream, 2 lane counters, 3 dedupe key (absent without dedupe)
-- ARGV: 1 lane max, -1 where lanes are not counted, 2 queue max, 3 dedupe milliseconds, 4 channel to wake or '', 5 until when in milliseconds of
--   Redis' clock, 0 for ever, 6 lane, 7 kind, 8 account, 9 at, 10 payload
-- Returns '+' and the id when stored, '!' where nothing else of the lane is there, '=' and the first id for a duplicate, '-' and the time
-- when it is too late.
if KEYS[3] then
  local id = redis.call('GET', KEYS[3])
  if id then return '=' .. id end
end
if ARGV[5] ~= '0' then
  local t = redis.call('TIME')
  local now = t[1] * 1000 + math.floor(t[2] / 1000)
  if now > tonumber(ARGV[5]) then return '-' .. string.format('%.0f', now) end
end
local max = tonumber(ARGV[2])
if max > 0 and redis.call('XLEN', KEYS[1]) >= max then return {err = 'FULL queue full'} end
max = tonumber(ARGV[1])
local said = '+'
if max >= 0 then
  local n = redis.call('HINCRBY', KEYS[2], ARGV[6], 1)
  if n > max and max > 0 then
    redis.call('HINCRBY', KEYS[2], ARGV[6], -1)
    return {err = 'FULL lane full'}
  end
  if n == 1 then said = '!' end
end
local id = redis.call('XADD', KEYS[1], '*', 'l', ARGV[6], 'k', ARGV[7], 'a', ARGV[8], 't', ARGV[9], 'p', ARGV[10])
if KEYS[3] then redis.call('SET', KEYS[3], id, 'PX', ARGV[3]) end
if ARGV[4] ~= '' then redis.call('PUBLISH', ARGV[4], '') end
return said .. id
