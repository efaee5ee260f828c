-- A token bucket as it is usually written: one key, read, refilled, written back with an expiry.
local key = KEYS[1]
local capacity = tonumber(ARGV[1])
local rate = tonumber(ARGV[2])
local cost = tonumber(ARGV[3])

local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000

local tokens, last = capacity, now
local stored = redis.call('GET', key)
if stored then
  local a, b = string.match(stored, '([^:]+):([^:]+)')
  tokens, last = tonumber(a), tonumber(b)
end

tokens = math.min(capacity, tokens + math.max(0, now - last) * rate)
local allowed = 0
if tokens >= cost then
  tokens = tokens - cost
  allowed = 1
end

local ttl = math.ceil(capacity / rate * 1000)
redis.call('SET', key, string.format('%.6f:%.6f', tokens, now), 'PX', ttl)
return {allowed, math.floor(tokens)}
