//! The objects of `kubernetes/`, and the references between them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::deployed::{Environment, front};
use super::store::Store;
use super::{documents, instructions, strings, text, tree};

/// Every applied object, by kind and name.
fn objects() -> BTreeMap<(String, String), Value> {
    let [kustomization] = &documents("kubernetes/kustomization.yaml")[..] else {
        panic!("one document")
    };
    let files = strings(&kustomization["resources"]);
    let all = files.iter().flat_map(|file| documents(&format!("kubernetes/{file}")));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    all.map(|it| ((text(&it["kind"]), text(&it["metadata"]["name"])), it)).collect()
}

fn object(kind: &str, name: &str) -> Value {
    objects()[&(kind.to_owned(), name.to_owned())].clone()
}

/// The environment of a container of Kubernetes.
fn environment(container: &Value) -> Environment {
    let entries = container["env"].as_array().unwrap().iter();
    let text =
        |value: &Value| value.as_str().expect("a string, or Kubernetes refuses it").to_owned();
    entries.map(|entry| (text(&entry["name"]), text(&entry["value"]))).collect()
}

#[test]
fn fronts_of_kubernetes_serve() {
    let deployment = object("Deployment", "rl-front");
    let pod = &deployment["spec"]["template"];
    let container = &pod["spec"]["containers"][0];
    let store = Store::start();
    let environment = environment(container);
    assert_eq!(environment["RL_REDIS_PASSWORD_FILE"], "/run/secrets/rl/redis-password");
    object("Service", "rl-redis"); // the front resolves its name
    let front = front(environment, "rl-redis", &store, "kubernetes/policies.toml");
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let get = &container[probe]["httpGet"];
        assert_eq!(get["port"], json!("http"), "{probe}");
        assert_eq!(front.get(get["path"].as_str().unwrap()).status, 200, "{probe}");
    }
    // The ports of the image and of RL_ADMIN_LISTEN, and of the annotation for Prometheus.
    let ports = json!([
        {"name": "http", "containerPort": 8080},
        {"name": "metrics", "containerPort": 9464},
    ]);
    assert_eq!(container["ports"], ports);
    assert_eq!(pod["metadata"]["annotations"]["prometheus.io/port"], json!("9464"));
    // It ends before Kubernetes would kill it.
    let mut front = front;
    let grace = pod["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap();
    front.signal("TERM");
    assert!(front.wait(Duration::from_secs(grace)).success());
}

#[test]
fn redis_of_kubernetes_fits_the_image() {
    let pod = object("StatefulSet", "rl-redis");
    let container = &pod["spec"]["template"]["spec"]["containers"][0];
    let environment = environment(container);
    let script = text("module/image/rl-redis");
    assert!(
        environment.keys().all(|name| script.contains(&format!("${{{name}:-"))),
        "{environment:?}"
    );
    for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
        let command = strings(&container[probe]["exec"]["command"]);
        assert_eq!(command, ["rl-redis-ready"], "{probe}");
    }
    let page = text("docs/deploy.md");
    assert!(page.contains(">kubernetes/redis-password)\n"));
    assert!(text("kubernetes/.gitignore").lines().any(|it| it == "/redis-password"));
    let mounted: Vec<_> = container["volumeMounts"].as_array().unwrap().iter().collect();
    for path in ["/data", "/run/rl", "/run/secrets/rl"] {
        assert!(mounted.iter().any(|it| it["mountPath"] == json!(path)), "{path}");
    }
}

#[test]
fn pods_are_locked_down() {
    for (kind, name, user) in [("Deployment", "rl-front", 65532), ("StatefulSet", "rl-redis", 6379)]
    {
        let object = object(kind, name);
        let pod = &object["spec"]["template"]["spec"];
        assert_eq!(pod["automountServiceAccountToken"], json!(false), "{name}");
        assert_eq!(pod["enableServiceLinks"], json!(false), "{name}");
        let security = &pod["securityContext"];
        assert_eq!(security["runAsNonRoot"], json!(true), "{name}");
        assert_eq!(security["runAsUser"], json!(user), "{name}");
        assert_eq!(security["seccompProfile"]["type"], json!("RuntimeDefault"), "{name}");
        let image = format!("USER {user}:{user}");
        let file = if name == "rl-front" { "server/Dockerfile" } else { "module/Dockerfile" };
        assert!(instructions(file).contains(&image), "{file}: {image}");
        for container in pod["containers"].as_array().unwrap() {
            let expected = json!({
                "allowPrivilegeEscalation": false,
                "readOnlyRootFilesystem": true,
                "capabilities": {"drop": ["ALL"]},
            });
            assert_eq!(container["securityContext"], expected, "{name}");
            assert!(container["resources"]["limits"]["memory"].is_string(), "{name}");
        }
    }
}

#[test]
fn objects_refer_to_objects_that_exist() {
    let objects = objects();
    let pods: Vec<_> = objects
        .values()
        .filter(|it| it["spec"].get("template").is_some())
        .map(|it| &it["spec"]["template"])
        .collect();
    assert_eq!(pods.len(), 2);
    let selected = |labels: &Value| {
        let labels = labels.as_object().unwrap();
        let matches = |pod: &&&Value| {
            let own = &pod["metadata"]["labels"];
            // kustomize adds this label to all objects.
            let rest = labels.iter().filter(|(name, _)| *name != "app.kubernetes.io/part-of");
            rest.fold(true, |all, (name, value)| all && own[name] == *value)
        };
        pods.iter().filter(matches).copied().collect::<Vec<_>>()
    };
    let port_names = |pod: &Value| {
        let ports = pod["spec"]["containers"][0]["ports"].as_array().unwrap();
        ports.iter().map(|port| port["name"].clone()).collect::<Vec<_>>()
    };
    for ((kind, name), object) in &objects {
        let spec = &object["spec"];
        match kind.as_str() {
            "Service" => {
                let [pod] = selected(&spec["selector"])[..] else {
                    panic!("{name}: it selects several kinds of pods, or none")
                };
                for port in spec["ports"].as_array().unwrap() {
                    assert!(port_names(pod).contains(&port["targetPort"]), "{name}");
                }
            }
            "PodDisruptionBudget" => {
                assert_eq!(selected(&spec["selector"]["matchLabels"]).len(), 1, "{name}");
            }
            "NetworkPolicy" => {
                let chosen = selected(&spec["podSelector"]["matchLabels"]);
                let rules = ["ingress", "egress"].map(|side| (side, spec[side].as_array()));
                for (side, rule) in rules
                    .into_iter()
                    .flat_map(|(side, it)| it.into_iter().flatten().map(move |rule| (side, rule)))
                {
                    let peers = rule["from"].as_array().or(rule["to"].as_array());
                    let peers = peers.into_iter().flatten().filter_map(|it| it.get("podSelector"));
                    let peers: Vec<_> = peers.flat_map(|it| selected(&it["matchLabels"])).collect();
                    // Named ports are those of the pod that listens.
                    let listening = if side == "ingress" { &chosen } else { &peers };
                    for port in rule["ports"].as_array().unwrap().iter().map(|it| &it["port"]) {
                        let is_known = listening.iter().any(|pod| port_names(pod).contains(port));
                        assert!(is_known || *port == json!(53), "{name}: {port}");
                    }
                }
            }
            "HorizontalPodAutoscaler" => {
                let target = &spec["scaleTargetRef"];
                let key = ["kind", "name"].map(|it| target[it].as_str().unwrap().to_owned());
                assert!(objects.contains_key(&key.into()), "{target}");
                assert!(spec["minReplicas"].as_u64() >= Some(2));
            }
            "Deployment" | "StatefulSet" => {
                let account = spec["template"]["spec"]["serviceAccountName"].as_str().unwrap();
                let key = ("ServiceAccount".to_owned(), account.to_owned());
                assert_eq!(objects[&key]["automountServiceAccountToken"], json!(false), "{name}");
                assert_eq!(selected(&spec["selector"]["matchLabels"]).len(), 1, "{name}");
            }
            "ServiceAccount" => {}
            other => panic!("{other} {name}: this test has no checks for it"),
        }
    }
    // Generated objects are used by name, and their files exist, or are made as the page says.
    let kustomization = &documents("kubernetes/kustomization.yaml")[0];
    let used = text("kubernetes/front.yaml") + &text("kubernetes/redis.yaml");
    for generator in ["configMapGenerator", "secretGenerator"] {
        for generated in kustomization[generator].as_array().unwrap() {
            let name = generated["name"].as_str().unwrap();
            assert!(used.contains(&format!("ame: {name}")), "{name}");
            for file in strings(&generated["files"]) {
                let path = format!("kubernetes/{file}");
                assert!(tree(&path).exists() || file == "redis-password", "{path}");
            }
        }
    }
    for image in kustomization["images"].as_array().unwrap() {
        assert!(used.contains(&format!("image: {}\n", image["name"].as_str().unwrap())), "{image}");
    }
}
