-- One step of the rate limiter (gcra.rs has the same in Rust). Redis's clock counts, in microseconds.
-- KEYS[1]: when the bucket will be full again. ARGV: interval of one token, burst, cost.
-- Answers: allowed, how far ahead of now the bucket is booked, how long to wait.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval = tonumber(ARGV[1])
local window = interval * tonumber(ARGV[2])
local booked = tonumber(redis.call('GET', KEYS[1]) or '0')
local base = math.min(math.max(booked, now), now + window)
local next = base + interval * tonumber(ARGV[3])
if next - now > window then
  return {0, base - now, next - now - window}
end
if next > now then
  redis.call('SET', KEYS[1], string.format('%.0f', next), 'PX', math.ceil((next - now) / 1000))
end
return {1, next - now, 0}
