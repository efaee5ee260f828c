-- Takes an amount, down to a debt of one capacity (a deeper one, left by a higher capacity, stays).
-- Replies with the five integers.

local left = math.max(tokens - amount, math.min(tokens, -capacity))
store(key, moved(capacity, rate, was, ts, expires, tokens, left))
local reply = {}
answer(reply, 1, 0, capacity, rate, left)
return reply
