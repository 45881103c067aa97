-- KEYS: the lock, its last fence. ARGV: the holder, time to live in milliseconds, time to keep the fence.
-- Answers the fence, or 0 when somebody holds the lock. Fences are made from the clock, so that they go on rising when
-- Redis has lost its data.
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then
  return 0
end
local time = redis.call('TIME')
local fence = time[1] * 1000000 + time[2]
local last = tonumber(redis.call('GET', KEYS[2]) or '0')
if fence <= last then
  fence = last + 1
end
redis.call('SET', KEYS[2], string.format('%.0f', fence), 'PX', ARGV[3])
return fence
