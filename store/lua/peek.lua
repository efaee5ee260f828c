-- Replies as check.lua would, and takes and writes nothing.

local allowed, retry_after = outcome(capacity, rate, tokens, amount)
local reply = {}
answer(reply, allowed, retry_after, capacity, rate, tokens)
return reply
