-- Deletes buckets, and only buckets. Replies with how many there were.

local deleted = 0
for _, key in ipairs(KEYS) do
  if stored(key) then
    deleted = deleted + redis.call('DEL', key)
  end
end
return deleted
