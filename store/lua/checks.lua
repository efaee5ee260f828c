-- Independent checks, each answered by five integers in `reply`: -1 and four zeros for a key that
-- holds another value, and `refusal` is then the error. The arithmetic of bucket.lua, written out
-- in one piece, since a function call costs Lua as much as the work in it. KEYS are the buckets;
-- ARGV holds capacity, rate (tokens a second) and cost for each, or once for all, as decimal
-- numbers that the caller has checked.

local call, ceil = redis.call, math.ceil
local keys, argv = KEYS, ARGV
if #keys > 1024 then
  return redis.error_reply('ERR at most 1024 checks in one call')
end
local clock = call('TIME')
local now = clock[1] * 1e6 + clock[2]
local written = {}
-- All at once. A value that is no string reads as missing here, and is read again below.
local values = #keys > 1 and call('MGET', unpack(keys)) or written
local reply, n, refusal = {0, 0, 0, 0, 0}, 0, nil
local stride = #argv > 3 and 3 or 0
local capacity_text, rate_text, cost_text, capacity, rate, cost, slack

for i = 1, #keys do
  local key, at = keys[i], stride * (i - 1)
  if argv[at + 1] ~= capacity_text or argv[at + 2] ~= rate_text then
    capacity_text, rate_text = argv[at + 1], argv[at + 2]
    capacity, rate = tonumber(capacity_text), tonumber(rate_text)
    slack = rate * 5e-4
    if slack > 5e-7 then slack = 5e-7 end
  end
  if argv[at + 3] ~= cost_text then
    cost_text = argv[at + 3]
    cost = tonumber(cost_text)
  end

  -- The stored tokens, ts and expiry, and the tokens at this moment.
  local value = written[key] or values[i] or redis.pcall('GET', key)
  local tokens, was, ts, expires, foreign = capacity, nil, nil, 0, false
  if value then
    local version
    if #value == 25 then
      version, was, ts, expires = struct.unpack('<Bddd', value)
    end
    foreign = version ~= 1 or not (was >= -1e9 and was <= 1e9 and ts >= 0 and ts <= 9007199254740992
      and expires >= 0 and expires <= 9e18)
    if not foreign then
      tokens = was
      if now > ts then
        tokens = was + (now - ts) * rate / 1e6
      end
      if tokens > capacity then
        tokens = capacity
      end
    end
  end

  if foreign then
    refusal = value.err and value
      or redis.error_reply('WRONGTYPE Operation against a key holding the wrong kind of value')
    reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4], reply[n + 5] = -1, 0, 0, 0, 0
  else
    local allowed, retry_after, left = 1, 0, tokens
    if cost > capacity then
      allowed, retry_after = 0, -1
    elseif tokens + 1e-6 >= cost then
      left = tokens - cost
    else
      allowed, retry_after = 0, ceil((cost - tokens - slack) * 1e3 / rate)
      if retry_after > 8e18 then
        retry_after = 8e18
      end
    end
    local new = left
    if left == tokens then
      new = was and ts > now and was -- from the future: moved to now, without credit
    end
    if new then
      local to_full = (capacity - new) * 1e3 / rate
      if to_full < 0 then
        to_full = 0 -- more than full under a higher limit
      elseif to_full > 8e18 then
        to_full = 8e18
      end
      local full_at = now / 1e3 + to_full
      if full_at > expires then
        expires = ceil(full_at + 1e3 + (to_full < 6e4 and to_full or 6e4))
        value = struct.pack('<Bddd', 1, new, now, expires)
        call('SET', key, value, 'PXAT', string.format('%.0f', expires))
      else
        value = struct.pack('<Bddd', 1, new, now, expires)
        call('SET', key, value, 'KEEPTTL')
      end
      written[key] = value
    end
    local reset_after = ceil((capacity - left - slack) * 1e3 / rate)
    if reset_after < 0 then
      reset_after = 0
    elseif reset_after > 8e18 then
      reset_after = 8e18
    end
    -- Redis cuts numbers off at the point, which is the floor unless there is a debt.
    reply[n + 1], reply[n + 2], reply[n + 3], reply[n + 4], reply[n + 5] =
      allowed, capacity, left < 0 and math.floor(left + 1e-6) or left + 1e-6, retry_after, reset_after
  end
  n = n + 5
end
