-- Takes from every bucket, or from none. Replies with allowed, the index (from 0) of the first
-- check that was denied or -1, then five integers for each.

if #KEYS > 1024 then
  return redis.error_reply('ERR at most 1024 checks in one call')
end

-- Decides first, and changes nothing. A key that was named before is seen as that check would leave
-- it.
local plans, pending, denied = {}, {}, -1
for i, key in ipairs(KEYS) do
  local at = 3 * i
  local capacity, rate, amount = tonumber(ARGV[at - 2]), tonumber(ARGV[at - 1]), tonumber(ARGV[at])
  local was, ts, expires
  if pending[key] then
    was, ts, expires = unpack(pending[key])
  else
    was, ts, expires = stored(key)
    if not was and ts then
      return ts
    end
  end
  local tokens = level(capacity, rate, was, ts)
  local allowed, retry_after, left = check(capacity, rate, tokens, amount)
  if allowed == 0 and denied < 0 then
    denied = i - 1
  end
  local new, new_expires = moved(capacity, rate, was, ts, expires, tokens, left)
  if new then
    pending[key] = {new, now, new_expires}
  elseif was then
    pending[key] = {was, ts, expires}
  end
  plans[i] = {capacity, rate, was, ts, expires, tokens, left, allowed, retry_after}
end

-- After a denial nothing is taken; a bucket from the future is still moved to now.
local reply = {denied < 0 and 1 or 0, denied}
for i, key in ipairs(KEYS) do
  local capacity, rate, was, ts, expires, tokens, left, allowed, retry_after = unpack(plans[i])
  if denied >= 0 then
    left = tokens
  end
  store(key, moved(capacity, rate, was, ts, expires, tokens, left))
  answer(reply, allowed, retry_after, capacity, rate, left)
end
return reply
