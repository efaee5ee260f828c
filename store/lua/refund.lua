-- Gives an amount back, up to the capacity. Replies with the five integers.

local left = math.min(tokens + amount, capacity)
store(key, moved(capacity, rate, was, ts, expires, tokens, left))
local reply = {}
answer(reply, 1, 0, capacity, rate, left)
return reply
