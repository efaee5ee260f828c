-- Reads one bucket: the beginning of peek, take, refund and charge.

local key = KEYS[1]
local capacity, rate, amount = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local was, ts, expires = stored(key)
if not was and ts then
  return ts
end
local tokens = level(capacity, rate, was, ts)
