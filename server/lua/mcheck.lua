-- Independent checks, each answered by five integers. A key that holds something else answers -1 and four
-- zeros, and spoils no other check.

if #KEYS > 1024 then
  return redis.error_reply('ERR at most 1024 checks in one call')
end
local reply = {}
for i, key in ipairs(KEYS) do
  local at = 3 * i
  local capacity, rate, amount = tonumber(ARGV[at - 2]), tonumber(ARGV[at - 1]), tonumber(ARGV[at])
  local was, ts, expires = stored(key)
  if not was and ts then
    local n = #reply
    reply[n + 1] = -1
    for k = 2, 5 do
      reply[n + k] = 0
    end
  else
    local tokens = level(capacity, rate, was, ts)
    local allowed, retry_after, left = check(capacity, rate, tokens, amount)
    store(key, moved(capacity, rate, was, ts, expires, tokens, left))
    answer(reply, allowed, retry_after, capacity, rate, left)
  end
end
return reply
