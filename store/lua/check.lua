-- Takes the cost from the bucket if it holds it. Replies with five integers: allowed, limit,
-- remaining, retry_after_ms, reset_after_ms.

return refusal or reply
