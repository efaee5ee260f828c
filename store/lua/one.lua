-- One bucket, read: what check, peek, take, refund and charge go on from.

local key = KEYS[1]
local capacity, rate, amount = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local was, ts, expires = stored(key)
if not was and ts then
  return ts
end
local tokens = level(capacity, rate, was, ts)
