-- Takes an amount from the bucket if it holds that many. Replies five integers: allowed, limit,
-- remaining, retry_after_ms, reset_after_ms.

local allowed, retry_after, left = check(capacity, rate, tokens, amount)
store(key, moved(capacity, rate, was, ts, expires, tokens, left))
local reply = {}
answer(reply, allowed, retry_after, capacity, rate, left)
return reply
