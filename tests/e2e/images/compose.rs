//! The services of `compose.yaml`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use rl_tests::Front;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::deployed::{Environment, front};
use super::store::Store;
use super::{documents, instructions, strings, text, tree};

fn compose() -> Value {
    documents("compose.yaml").remove(0)
}

#[test]
fn fronts_of_compose_serve() {
    let compose = compose();
    let store = Store::start();
    let mut ports = BTreeSet::new();
    for name in ["front-1", "front-2"] {
        let service = &compose["services"][name];
        let environment: BTreeMap<String, Value> =
            serde_json::from_value(service["environment"].clone()).unwrap();
        let environment: Environment = environment
            .into_iter()
            .map(|(name, it)| (name, it.as_str().unwrap().to_owned()))
            .collect();
        assert_eq!(environment["RL_REDIS_PASSWORD_FILE"], "/run/secrets/redis-password");
        let front = front(environment, "redis", &store, "compose/front/policies.toml");
        let test = strings(&service["healthcheck"]["test"]);
        let [form, program, words @ ..] = &test[..] else { panic!("{test:?}") };
        assert_eq!((&**form, &**program), ("CMD", "/rl-server"));
        let url = format!("http://{}", front.address());
        let words = words.iter().map(String::as_str).chain(["--server", &url]);
        let output = Front::run(&words.collect::<Vec<_>>());
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        ports.extend(strings(&service["ports"]));
    }
    // The port of the image, published on this machine only.
    assert!(instructions("server/Dockerfile").contains(&"ENV PORT=8080".to_owned()));
    assert_eq!(
        ports.into_iter().collect::<Vec<_>>(),
        ["127.0.0.1:8080:8080", "127.0.0.1:8081:8080"]
    );
}

#[test]
fn files_that_compose_names_exist_and_its_containers_are_locked_down() {
    let compose = compose();
    let services = compose["services"].as_object().unwrap();
    let page = text("docs/deploy.md");
    for (name, service) in services {
        assert_eq!(service["read_only"], json!(true), "{name}");
        assert_eq!(service["cap_drop"], json!(["ALL"]), "{name}");
        assert_eq!(service["security_opt"], json!(["no-new-privileges:true"]), "{name}");
        for volume in strings(&service["volumes"]) {
            let (source, _) = volume.split_once(':').unwrap();
            match source.strip_prefix("./") {
                Some(path) => assert!(tree(path).exists() && volume.ends_with(":ro"), "{volume}"),
                None => assert!(compose["volumes"].get(source).is_some(), "{volume}"),
            }
        }
        if let Some(file) = service["build"]["dockerfile"].as_str() {
            assert!(tree(file).exists(), "{file}");
        } else {
            let (_, tag) = service["image"].as_str().unwrap().rsplit_once(':').unwrap();
            assert!(tag.contains('.'), "{name} is not pinned: {tag}");
        }
    }
    assert!(services["redis"].get("ports").is_none(), "only fronts reach Redis");
    assert_eq!(strings(&services["redis"]["networks"]), ["store"]);
    assert_eq!(compose["networks"]["store"]["internal"], json!(true));
    // The operator makes it, with the command of the page.
    let secret = compose["secrets"]["redis-password"]["file"].as_str().unwrap();
    let secret = secret.strip_prefix("./").unwrap();
    assert!(page.contains(&format!("/dev/stdin {secret}\n")), "{secret}");
    assert!(text("compose/.gitignore").lines().any(|it| it == "/secrets"), "{secret}");

    // Prometheus finds the fronts and the rules.
    let folder = TempDir::new().unwrap();
    let config = folder.path().join("prometheus.yml");
    fs::copy(tree("compose/prometheus.yml"), &config).unwrap();
    fs::copy(tree("docs/monitoring/alerts.yml"), folder.path().join("alerts.yml")).unwrap();
    let output = Command::new("promtool").args(["check", "config"]).arg(&config).output();
    let output = output.expect("promtool, which scripts/test installs");
    assert!(output.status.success(), "{output:?}");
    let scraped = &documents("compose/prometheus.yml")[0]["scrape_configs"][0];
    assert_eq!(scraped["job_name"], json!("rl"), "the name in the rules");
    let targets = strings(&scraped["static_configs"][0]["targets"]);
    let fronts = services.keys().filter(|name| name.starts_with("front-"));
    assert_eq!(targets, fronts.map(|name| format!("{name}:9464")).collect::<Vec<_>>());
}
