//! Access tokens of the Google service account that this machine runs as: the passwords of Google's
//! managed stores.
//!
//! The machine's metadata server issues them for an hour. A connection stays logged in when its
//! token expires, so a valid token is needed only for each new connection.

use std::{
    env, fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::Deserialize;
use ureq::Agent;

/// The source of tokens, and the last one. `Debug` shows none.
pub(super) struct GoogleTokens {
    agent: Agent,
    url: String,
    last: Mutex<Option<(TokenResponse, Instant)>>,
}

#[derive(Clone, Deserialize)]
struct TokenResponse {
    access_token: String,
    /// Seconds.
    expires_in: u64,
}

/// The metadata server, by its address: its name would need a lookup. `GCE_METADATA_HOST` names
/// another, as it does for Google's libraries.
const HOST: &str = "169.254.169.254";
const PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/token";
/// The longest wait for the metadata server, which answers from memory.
const TIMEOUT: Duration = Duration::from_secs(2);
/// The time before a token's end at which the next is fetched. The metadata server has a new one by
/// then: it replaces a token four minutes before its end at the latest.
const RENEW_BEFORE: Duration = Duration::from_secs(225);

// === impl GoogleTokens ===

impl GoogleTokens {
    /// Tokens of the default service account.
    pub(super) fn from_env() -> Self {
        let host = env::var("GCE_METADATA_HOST").ok().filter(|host| !host.is_empty());
        let host = host.unwrap_or_else(|| HOST.to_owned());
        let config = Agent::config_builder().timeout_global(Some(TIMEOUT)).proxy(None);
        Self {
            agent: config.build().new_agent(),
            url: format!("http://{host}{PATH}"),
            last: Mutex::default(),
        }
    }

    /// A token that is valid for the next minutes. It may block for two seconds.
    pub(super) fn token(&self) -> Result<String, String> {
        // Held while fetching: other threads wait for the same token.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((token, fetched_at)) = &*last
            && fetched_at.elapsed() + RENEW_BEFORE < Duration::from_secs(token.expires_in)
        {
            return Ok(token.access_token.clone());
        }
        let fetched_at = Instant::now();
        let response =
            self.fetch().map_err(|error| format!("no access token: {}: {error}", self.url))?;
        let token = response.access_token.clone();
        *last = Some((response, fetched_at));
        Ok(token)
    }

    /// Forgets the last token, which was refused, so that the next one is fetched.
    pub(super) fn forget(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn fetch(&self) -> Result<TokenResponse, String> {
        let request = self.agent.get(&self.url).header("Metadata-Flavor", "Google");
        let mut response = request.call().map_err(|error| error.to_string())?;
        let text = response.body_mut().read_to_string().map_err(|error| error.to_string())?;
        // The error of serde could quote the token.
        serde_json::from_str(&text).map_err(|_| "the response is not a token".to_owned())
    }
}

impl fmt::Debug for GoogleTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GoogleTokens").field("url", &self.url).finish_non_exhaustive()
    }
}
