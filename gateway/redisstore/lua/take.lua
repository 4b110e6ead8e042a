-- Spends a token of every bucket, or of none.
-- KEYS: for each bucket: when it would be full again, and what its taker has to come (the bucket again where nobody shares it)
-- ARGV: 1 longest wait, then for each bucket: time in which a token comes, burst, how many are spent, 1 when it is shared. Times are microseconds.
-- A taker's key holds two times: when its last token counts, and when the next that waits on its behalf should ask again.
-- Returns 1 when spent, how long to wait, and the number of the bucket that is waited for.
local function micros(t) return string.format('%.0f', t) end
local function keep(to, value, t) redis.call('SET', to, value, 'PX', string.format('%.0f', math.max(1, math.ceil(t / 1000)))) end
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local buckets, full, turn, back = #KEYS / 2, {}, {}, {}
local wait, by = 0, 1
for i = 1, buckets do
  full[i] = math.max(now, tonumber(redis.call('GET', KEYS[2 * i - 1]) or 0))
  local w = full[i] - now - (ARGV[4 * i - 1] - ARGV[4 * i]) * ARGV[4 * i - 2]
  if w > wait then wait, by = w, i end
end
if wait > tonumber(ARGV[1]) then return {0, micros(wait) + 0, by} end
local spent = 1
for i = 1, buckets do
  turn[i], back[i] = 0, 0
  if ARGV[4 * i + 1] == '1' then
    local t, b = (redis.call('GET', KEYS[2 * i]) or '0 0'):match('^(%d+) (%d+)$')
    turn[i], back[i] = tonumber(t), tonumber(b)
    if turn[i] > now then
      local at = math.max(turn[i], back[i])
      if spent == 1 or at - now > wait then wait, by = at - now, i end
      spent = 0
      back[i] = at + ARGV[4 * i - 2]
      keep(KEYS[2 * i], micros(turn[i]) .. ' ' .. micros(back[i]), back[i] - now)
    end
  end
end
if spent == 0 then return {0, micros(wait) + 0, by} end
for i = 1, buckets do
  local price = ARGV[4 * i - 2] * ARGV[4 * i]
  if price > 0 then
    keep(KEYS[2 * i - 1], micros(full[i] + price), full[i] + price - now)
    if ARGV[4 * i + 1] == '1' and wait > 0 then
      keep(KEYS[2 * i], micros(now + wait) .. ' ' .. micros(back[i]), math.max(wait, back[i] - now))
    end
  end
end
return {1, micros(wait) + 0, by}
