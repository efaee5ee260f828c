//! Access tokens of the service account that this machine runs as, which Google's managed stores take for a password.
//!
//! The metadata server of the machine hands them out; they live an hour. A connection stays logged in when its token
//! expires, so one is needed for each new connection and no sooner.

use std::{
    env, fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::Deserialize;
use ureq::Agent;

/// Where tokens come from, and the last one. `Debug` shows none.
pub struct Google {
    agent: Agent,
    url: String,
    last: Mutex<Option<(Answer, Instant)>>,
}

#[derive(Clone, Deserialize)]
struct Answer {
    access_token: String,
    /// Seconds.
    expires_in: u64,
}

/// By its address: its name would have to be looked up. `GCE_METADATA_HOST` names another, as for Google's libraries.
const HOST: &str = "169.254.169.254";
const PATH: &str = "/computeMetadata/v1/instance/service-accounts/default/token";
/// It answers from memory.
const PATIENCE: Duration = Duration::from_secs(2);
/// So long before the end of a token the next is asked for: the metadata server has had a new one by then, since
/// it keeps the old for no longer than until four minutes before.
const EARLY: Duration = Duration::from_secs(225);

// === impl Google ===

impl Google {
    /// Tokens of the default service account.
    pub fn from_env() -> Self {
        let host = env::var("GCE_METADATA_HOST").unwrap_or_else(|_| HOST.to_owned());
        let config = Agent::config_builder().timeout_global(Some(PATIENCE)).proxy(None);
        Self {
            agent: config.build().new_agent(),
            url: format!("http://{host}{PATH}"),
            last: Mutex::default(),
        }
    }

    /// A token that is good for the next minutes. It may wait for two seconds.
    pub fn token(&self) -> Result<String, String> {
        // Held while asking: whoever else wants one waits for this one.
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((answer, since)) = &*last
            && since.elapsed() + EARLY < Duration::from_secs(answer.expires_in)
        {
            return Ok(answer.access_token.clone());
        }
        let since = Instant::now();
        let answer =
            self.ask().map_err(|error| format!("no access token: {}: {error}", self.url))?;
        let token = answer.access_token.clone();
        *last = Some((answer, since));
        Ok(token)
    }

    /// Has the next one asked for, since the last was refused.
    pub fn forget(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn ask(&self) -> Result<Answer, String> {
        let request = self.agent.get(&self.url).header("Metadata-Flavor", "Google");
        let mut answer = request.call().map_err(|error| error.to_string())?;
        let text = answer.body_mut().read_to_string().map_err(|error| error.to_string())?;
        // What serde says of it could quote the token.
        serde_json::from_str(&text).map_err(|_| "it is not a token".to_owned())
    }
}

impl fmt::Debug for Google {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Google").field("url", &self.url).finish_non_exhaustive()
    }
}
