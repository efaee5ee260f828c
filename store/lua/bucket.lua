-- The token bucket of bucket/src/level.rs, operation by operation: change both or neither, and
-- checks.lua with them. Every script but the checks begins with this text. It compiles on Redis 6.2
-- to 8 and on Valkey. KEYS are buckets; ARGV holds capacity, rate (tokens a second) and amount of
-- each, as decimal numbers that the caller has checked.

local TOLERANCE, WAIT_SLACK, WAIT_SLACK_SECONDS = 1e-6, 5e-7, 5e-4
local MIN_EXPIRY_SLACK_MS, MAX_EXPIRY_SLACK_MS = 1e3, 6e4
local MAX_WAIT_MS = 8e18

local clock = redis.call('TIME')
local now = clock[1] * 1e6 + clock[2]

-- The stored tokens, ts and expiry of a bucket; nothing if it is missing; nil and an error reply if
-- the key holds another value.
local function stored(key)
  local value = redis.pcall('GET', key)
  if value == false then
    return
  end
  if type(value) == 'table' then
    return nil, value
  end
  if #value == 25 then
    local version, tokens, ts, expires = struct.unpack('<Bddd', value)
    if version == 1 and tokens >= -1e9 and tokens <= 1e9 and ts >= 0 and ts <= 2 ^ 53
      and expires >= 0 and expires <= 9e18 then
      return tokens, ts, expires
    end
  end
  return nil, redis.error_reply('WRONGTYPE Operation against a key holding the wrong kind of value')
end

-- The tokens at this moment.
local function level(capacity, rate, tokens, ts)
  if not tokens then
    return capacity
  end
  local elapsed = math.max(now - ts, 0)
  return math.min(tokens + elapsed * rate / 1e6, capacity)
end

-- Milliseconds until `missing` tokens are refilled, rounded up, and at most MAX_WAIT_MS.
local function wait_ms(rate, missing)
  local target = missing - math.min(WAIT_SLACK, rate * WAIT_SLACK_SECONDS)
  return math.max(math.min(math.ceil(target * 1e3 / rate), MAX_WAIT_MS), 0)
end

-- 1 if allowed or 0, and retry_after_ms: 0 when allowed, -1 for never.
local function outcome(capacity, rate, tokens, cost)
  if cost > capacity then
    return 0, -1
  elseif tokens + TOLERANCE >= cost then
    return 1, 0
  end
  return 0, wait_ms(rate, cost - tokens)
end

-- A check: 1 if allowed or 0, retry_after_ms, and the tokens that it leaves.
local function check(capacity, rate, tokens, cost)
  local allowed, retry_after = outcome(capacity, rate, tokens, cost)
  if allowed == 1 then
    tokens = tokens - cost
  end
  return allowed, retry_after, tokens
end

-- Appends the five integers of a decision to `reply`.
local function answer(reply, allowed, retry_after, capacity, rate, left)
  local n = #reply
  reply[n + 1] = allowed
  reply[n + 2] = math.floor(capacity)
  reply[n + 3] = math.floor(left + TOLERANCE)
  reply[n + 4] = retry_after
  reply[n + 5] = wait_ms(rate, capacity - left)
end

-- The tokens and expiry to store for a bucket that is left with `left` of its `tokens`. Nothing if
-- no token was moved, unless the bucket is from the future: then it is moved to now, without
-- credit. The expiry moves only if the bucket is full later than that.
local function moved(capacity, rate, was, ts, expires, tokens, left)
  if left == tokens then
    if not was or ts <= now then
      return
    end
    left = was
  end
  -- Below zero if more than full, under a higher limit.
  local to_full = math.max(math.min((capacity - left) * 1e3 / rate, MAX_WAIT_MS), 0)
  local full_at = now / 1e3 + to_full
  expires = expires or 0
  if full_at > expires then
    expires = math.ceil(full_at + MIN_EXPIRY_SLACK_MS + math.min(to_full, MAX_EXPIRY_SLACK_MS))
  end
  return left, expires
end

-- Stores the result of `moved`, if there is one.
local function store(key, tokens, expires)
  if tokens then
    redis.call('SET', key, struct.pack('<Bddd', 1, tokens, now, expires),
      'PXAT', string.format('%.0f', expires))
  end
end
