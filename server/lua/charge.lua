-- Takes an amount whether it is there or not, down to a debt of one capacity (a deeper one, left by a
-- higher capacity, stays). Replies the five integers.

local key = KEYS[1]
local capacity, rate, amount = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])

local was, ts, expires = stored(key)
if not was and ts then
  return ts
end
local tokens = level(capacity, rate, was, ts)
local left = math.max(tokens - amount, math.min(tokens, -capacity))
store(key, moved(capacity, rate, was, ts, expires, tokens, left))
local reply = {}
answer(reply, 1, 0, capacity, rate, left)
return reply
