-- Takes an amount from the bucket if it holds that many. Replies five integers: allowed, limit,
-- remaining, retry_after_ms, reset_after_ms.

local allowed, retry_after = outcome(capacity, rate, tokens, amount)
local left = tokens
if allowed == 1 then
  left = tokens - amount
end
store(key, moved(capacity, rate, was, ts, expires, tokens, left))
local reply = {}
answer(reply, allowed, retry_after, capacity, rate, left)
return reply
