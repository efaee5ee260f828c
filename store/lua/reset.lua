-- Deletes buckets, and only buckets; replies how many.

local deleted = 0
for _, key in ipairs(KEYS) do
  if stored(key) then
    deleted = deleted + redis.call('DEL', key)
  end
end
return deleted
