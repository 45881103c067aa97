-- KEYS[1]: the counter. ARGV: by how much, time to live in milliseconds, counted from the first increment.
local value = redis.call('INCRBY', KEYS[1], ARGV[1])
if redis.call('PTTL', KEYS[1]) < 0 then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return value
