-- What check.lua would answer, taking nothing and writing nothing.

local key = KEYS[1]
local capacity, rate, amount = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local was, ts = stored(key)
if not was and ts then
  return ts
end
local tokens = level(capacity, rate, was, ts)
local allowed, retry_after = outcome(capacity, rate, tokens, amount)
local reply = {}
answer(reply, allowed, retry_after, capacity, rate, tokens)
return reply
