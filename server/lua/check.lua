-- Takes `cost` from the bucket if it holds that many. Replies five integers: allowed, limit,
-- remaining, retry_after_ms, reset_after_ms.

local key = KEYS[1]
local capacity, rate, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local was, ts, expires = stored(key)
if not was and ts then
  return ts
end
local tokens = level(capacity, rate, was, ts)
local allowed, retry_after = outcome(capacity, rate, tokens, cost)
local left = tokens
if allowed == 1 then
  left = tokens - cost
end
if left ~= tokens then
  store(key, capacity, rate, left, expires)
elseif was and ts > now then
  store(key, capacity, rate, was, expires)
end
local reply = {}
answer(reply, allowed, retry_after, capacity, rate, left)
return reply
