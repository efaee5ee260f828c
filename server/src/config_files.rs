//! The configuration files of a front: loaded at the start, and watched from then on.

use std::{path::Path, sync::Arc};

use actix_web::rt;
use log::{error, info};

use crate::{
    access::Tokens,
    limiter::ActivePolicies,
    metrics::Metrics,
    policy::Policies,
    reload::{Reload, ReloadOutcome, Reloadable, WatchedFile},
    settings::PolicySource,
};

/// Loads the policies.
pub(crate) fn policies(
    source: &PolicySource,
    when: Reload,
    metrics: &Arc<Metrics>,
) -> Result<Arc<Reloadable<ActivePolicies>>, String> {
    match source {
        PolicySource::Flags(limit) => {
            let policies = ActivePolicies::new(Policies::without_file(*limit), metrics);
            metrics.files.count_load("policies", 1, policies.hash(), None);
            Ok(Arc::new(Reloadable::new(policies)))
        }
        PolicySource::File(path) => {
            let parse = {
                let metrics = metrics.clone();
                move |content: &[u8]| match Policies::read(content) {
                    Ok(policies) => Ok(ActivePolicies::new(policies, &metrics)),
                    Err(error) => Err(error.to_string()),
                }
            };
            let on_reload = {
                let metrics = metrics.clone();
                move |policies: &ActivePolicies| metrics.keep_policies(policies.names())
            };
            load("policies", path, when, metrics, parse, ActivePolicies::hash, on_reload)
        }
    }
}

/// Loads the tokens.
pub(crate) fn tokens(
    path: &Path,
    when: Reload,
    metrics: &Arc<Metrics>,
) -> Result<Arc<Reloadable<Tokens>>, String> {
    load("tokens", path, when, metrics, Tokens::read, Tokens::hash, |_| {})
}

/// Loads a file, and watches it from then on. `on_reload` gets the value in force after each
/// reload, be it loaded or refused.
fn load<T: Send + Sync + 'static>(
    name: &'static str,
    path: &Path,
    when: Reload,
    metrics: &Arc<Metrics>,
    parse: impl Fn(&[u8]) -> Result<T, String> + Send + 'static,
    hash: fn(&T) -> &str,
    on_reload: impl Fn(&T) + 'static,
) -> Result<Arc<Reloadable<T>>, String> {
    let file = WatchedFile::open(path, parse)?;
    let value = file.value();
    let mut last_hash = hash(&value.get()).to_owned();
    metrics.files.count_load(name, value.generation(), &last_hash, None);
    info!("{name} loaded: hash {last_hash}");
    let (metrics, reloaded, path) = (metrics.clone(), value.clone(), path.display().to_string());
    rt::spawn(file.watch(when, move |outcome| {
        let (value, generation) = (reloaded.get(), reloaded.generation());
        match outcome {
            ReloadOutcome::Loaded => {
                metrics.files.count_load(name, generation, hash(&value), Some(&last_hash));
                hash(&value).clone_into(&mut last_hash);
                info!("{name} reloaded: generation {generation}, hash {last_hash}");
            }
            ReloadOutcome::Refused(reason) => {
                metrics.files.count_refused(name);
                error!(
                    "{name} refused: {path}: {reason}; \
                     generation {generation} stays in force until the file is fixed"
                );
            }
        }
        on_reload(&value);
    }));
    Ok(value)
}
