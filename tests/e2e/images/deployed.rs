//! A front as it is deployed: in exactly that environment, except for addresses and paths, over the
//! Redis of the image of `module/`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use rl_tests::{Front, eventually};
use serde_json::json;

use super::store::Store;
use super::tree;

pub(super) type Environment = BTreeMap<String, String>;

/// The variables that `--help` lists.
fn variables() -> BTreeSet<String> {
    let help = String::from_utf8(Front::run(&["--help"]).stdout).unwrap();
    let variables =
        help.split("[env: ").skip(1).map(|rest| rest.split(['=', ']']).next().unwrap().to_owned());
    variables.collect()
}

/// Starts a front as it is deployed, over `store` and with the policies in `policies`. `redis` is
/// the host name of the store in the deployment.
pub(super) fn front(
    mut environment: Environment,
    redis: &str,
    store: &Store,
    policies: &str,
) -> Front {
    let unknown =
        environment.keys().filter(|name| !variables().contains(*name)).collect::<Vec<_>>();
    assert!(unknown.is_empty(), "no front reads {unknown:?}");
    let mut replace = |name: &str, from: &str, to: &str| {
        let value = environment.get_mut(name).unwrap_or_else(|| panic!("{name} is not given"));
        assert_eq!(value, from, "{name}");
        to.clone_into(value);
    };
    let url = format!("redis://rl-module@127.0.0.1:{}", store.port);
    replace("RL_STORE", &format!("redis://rl-module@{redis}"), &url);
    replace("RL_CONFIG", "/etc/rl/policies.toml", tree(policies).to_str().unwrap());
    replace("RL_ADMIN_LISTEN", "0.0.0.0:9464", "127.0.0.1:0");
    // The tests of compose and Kubernetes check where it is mounted.
    let file = store.password_file().to_str().unwrap().to_owned();
    environment.insert("RL_REDIS_PASSWORD_FILE".to_owned(), file);
    let given: Vec<_> = environment.iter().map(|(name, it)| (&**name, &**it)).collect();
    let front = Front::start_with_env(&given, &[]);
    eventually("the front is ready", Duration::from_secs(20), || {
        front.get("/health/ready").status == 200
    });
    let ready = front.get("/health/ready").body;
    assert_eq!((&ready["store"], &ready["engine"]), (&json!("up"), &json!("module")), "{ready}");
    for policy in ["default", "api", "login"] {
        let answer = front.check(&format!(r#"{{"key":"k","policy":"{policy}"}}"#));
        assert_eq!((&answer["allowed"], &answer["degraded"]), (&json!(true), &json!(null)));
    }
    assert_eq!(front.get("/metrics").status, 404, "metrics on the port of callers");
    assert_eq!(front.get_text(&front.admin_address(), "/metrics").0, 200);
    front
}

#[test]
fn policies_of_deployments_are_valid() {
    for file in
        ["compose/front/policies.toml", "kubernetes/policies.toml", "terraform/policies.toml"]
    {
        let output = Front::run(&["--check-config", tree(file).to_str().unwrap()]);
        assert!(output.status.success(), "{file}: {output:?}");
    }
}
