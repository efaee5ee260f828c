-- Takes as many whole tokens as there are, at most an amount. Replies with how many, then the five
-- integers: allowed if some were taken or none were wanted, else the wait is for the first token.

local wanted = math.floor(amount)
local granted = math.min(math.max(math.floor(tokens + TOLERANCE), 0), wanted)
local allowed, retry_after = 1, 0
if granted == 0 and wanted > 0 then
  allowed, retry_after = outcome(capacity, rate, tokens, 1)
end
local left = tokens - granted
store(key, moved(capacity, rate, was, ts, expires, tokens, left))
local reply = {granted}
answer(reply, allowed, retry_after, capacity, rate, left)
return reply
