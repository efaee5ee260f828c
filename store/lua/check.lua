-- Takes an amount from the bucket if it holds that many. Replies five integers: allowed, limit,
-- remaining, retry_after_ms, reset_after_ms.

return refusal or reply
