-- Appends an entry unless its dedupe key was seen, its lane or queue is full, or the time for it is over.
-- KEYS: 1 stream, 2 lane counters, 3 how many entries are parked, 4 parked lanes, 5 dedupe key (absent without dedupe)
-- ARGV: 1 lane max, -1 where lanes are not counted, 2 queue max, 3 park max, 4 dedupe milliseconds, 5 channel to wake or '', 6 until when in
--   milliseconds of Redis' clock, 0 for ever, 7 lane, 8 kind, 9 account, 10 at, 11 payload
-- Returns '+' and the id when stored, '!' where nothing else of the lane is there, '=' and the first id for a duplicate, '-' and the time
-- when it is too late.
local got = redis.call('MGET', KEYS[3], KEYS[5] or KEYS[3]) -- one question for both
if KEYS[5] and got[2] then return '=' .. got[2] end
if ARGV[6] ~= '0' then
  local t = redis.call('TIME')
  local now = t[1] * 1000 + math.floor(t[2] / 1000)
  if now > tonumber(ARGV[6]) then return '-' .. string.format('%.0f', now) end
end
local max = tonumber(ARGV[2])
if max > 0 and redis.call('XLEN', KEYS[1]) >= max then return {err = 'FULL queue full'} end
if got[1] then -- entries are parked: beyond the limit those lanes take no more, others while there is room for what any of them may park
  local most, parked = tonumber(ARGV[3]), tonumber(got[1])
  if most > 0 and parked >= most and (max > 0 and redis.call('XLEN', KEYS[1]) + parked >= max + most or
    redis.call('HEXISTS', KEYS[4], KEYS[1]:match('[^:]+$') .. ':' .. ARGV[7]) == 1) then return {err = 'FULL parked'} end
end
max = tonumber(ARGV[1])
local said = '+'
if max >= 0 then
  local n = redis.call('HINCRBY', KEYS[2], ARGV[7], 1)
  if n > max and max > 0 then
    redis.call('HINCRBY', KEYS[2], ARGV[7], -1)
    return {err = 'FULL lane full'}
  end
  if n == 1 then said = '!' end
end
local id = redis.call('XADD', KEYS[1], '*', 'l', ARGV[7], 'k', ARGV[8], 'a', ARGV[9], 't', ARGV[10], 'p', ARGV[11])
if KEYS[5] then redis.call('SET', KEYS[5], id, 'PX', ARGV[4]) end
if ARGV[5] ~= '' then redis.call('PUBLISH', ARGV[5], '') end
return said .. id
