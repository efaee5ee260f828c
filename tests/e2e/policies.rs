//! Policy files: several limits, overrides, shadow mode, `on_error`, reloading.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use rl_tests::{Front, RedisServer, Setup, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(20);

const POLICIES: &str = r#"
[policies.default]
capacity = 3
rate = "1/d"
overrides."vip:1" = { capacity = 5 }

[policies.two]
limits = [
  { name = "burst", capacity = 2, rate = "1/d" },
  { name = "day", capacity = 5, rate = "1/d" },
]
[policies.two.overrides."vip:1"]
limits = [{ name = "burst", capacity = 4 }]

[policies.watched]
mode = "shadow"
capacity = 1
rate = "1/d"

[policies.closed]
on_error = "closed"
capacity = 3
rate = "1/d"

[policies.open]
on_error = "open"
capacity = 3
rate = "1/d"
"#;

/// A policy file that a test changes.
struct PolicyFile {
    folder: TempDir,
}

impl PolicyFile {
    fn new(content: &str) -> Self {
        let file = Self { folder: TempDir::new().expect("a temporary folder") };
        file.write(content);
        file
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("policies.toml")
    }

    fn arg(&self) -> String {
        self.path().to_str().expect("a path in UTF-8").to_owned()
    }

    fn write(&self, content: &str) {
        fs::write(self.path(), content).expect("to write the policy file");
    }
}

fn front(file: &PolicyFile, redis: Option<(&RedisServer, &str)>) -> Front {
    let (config, url) = (file.arg(), redis.map(|(server, _)| server.url()));
    let mut arguments = vec!["--config", &config, "--deadline-ms", "10000"];
    if let (Some((_, engine)), Some(url)) = (redis, &url) {
        arguments.extend(["--store", url, "--engine", engine]);
    }
    Front::start(&arguments)
}

fn check(front: &Front, key: &str, policy: &str) -> Value {
    front.check(&format!(r#"{{"key":"{key}","policy":"{policy}"}}"#))
}

fn generation(front: &Front) -> (u64, String) {
    let ready = front.get("/health/ready").body;
    (ready["generation"].as_u64().unwrap_or(0), ready["policies"].to_string())
}

#[test]
fn several_limits_are_allowed_together_or_not_at_all_on_every_engine() {
    let file = PolicyFile::new(POLICIES);
    let with_module = Setup::with_module().start();
    let without = Setup::plain().start();
    for redis in [None, Some((&with_module, "module")), Some((&without, "lua"))] {
        let front = front(&file, redis);
        for (key, expected) in [
            ("k", [(true, 1, 1, 4), (true, 0, 0, 3), (false, 0, 0, 3), (false, 0, 0, 3)]),
            ("vip:1", [(true, 3, 3, 4), (true, 2, 2, 3), (true, 1, 1, 2), (true, 0, 0, 1)]),
        ] {
            for (allowed, remaining, burst, day) in expected {
                let answer = check(&front, key, "two");
                assert_eq!(answer["allowed"], json!(allowed), "{answer}");
                assert_eq!(answer["remaining"], json!(remaining), "{answer}");
                let limits = &answer["limits"];
                assert_eq!(
                    (&limits[0]["name"], &limits[1]["name"]),
                    (&json!("burst"), &json!("day"))
                );
                assert_eq!(
                    (&limits[0]["remaining"], &limits[1]["remaining"]),
                    (&json!(burst), &json!(day))
                );
                // A limit that allows the check is reported so, though nothing was taken from it.
                assert_eq!(limits[1]["allowed"], json!(true), "{answer}");
                assert_eq!(answer["degraded"], Value::Null, "{answer}");
            }
        }
        // A reset of another policy leaves these buckets alone.
        for _ in 0..2 {
            front.post("/reset", r#"{"key":"k","policy":"default"}"#);
        }
        if let Some((server, _)) = redis {
            assert_eq!(server.run::<i64>("EXISTS rl:{k}:two:burst rl:{k}:two:day"), 2);
        }
    }
}

#[test]
fn an_override_is_for_one_key() {
    let front = front(&PolicyFile::new(POLICIES), None);
    let limits = |key| check(&front, key, "default")["limit"].clone();
    assert_eq!((limits("vip:1"), limits("vip:10"), limits("k")), (json!(5), json!(3), json!(3)));
}

#[test]
fn shadow_mode_reports_and_allows() {
    let front = front(&PolicyFile::new(POLICIES), None);
    let body = r#"{"key":"k","policy":"watched"}"#;
    let would_deny: Vec<_> = (0..3).map(|_| front.check(body)["would_deny"].clone()).collect();
    assert_eq!(would_deny, [json!(false), json!(true), json!(true)]);
    let answer = front.check(body);
    assert_eq!((&answer["allowed"], &answer["retry_after_ms"]), (&json!(true), &json!(0)));
    assert_eq!(front.get("/check?key=k&policy=watched").status, 200);
    // Its bucket is a real one: its answers are those of the policy once it is enforced.
    assert_eq!(answer["remaining"], json!(0));
}

#[test]
fn inline_limits_are_off_with_a_file_unless_it_says_so() {
    let inline = r#"{"key":"k","capacity":1,"rate":"1/d"}"#;
    let off = front(&PolicyFile::new(POLICIES), None);
    let refused = off.post("/check", inline);
    assert_eq!(refused.status, 403, "{}", refused.body);
    assert_eq!(off.get("/check?key=k&capacity=1&rate=1").status, 403);
    let on = front(&PolicyFile::new(&format!("inline = true\n{POLICIES}")), None);
    assert_eq!(on.check(inline)["remaining"], json!(0));
    assert_eq!(on.post("/check", r#"{"key":"k","policy":"inline"}"#).status, 404);
}

#[test]
fn each_policy_says_what_happens_without_redis() {
    let file = PolicyFile::new(POLICIES);
    let mut server = Setup::with_module().start();
    let (config, url) = (file.arg(), server.url());
    let front = Front::start(&["--config", &config, "--store", &url, "--workers", "1"]);
    server.kill();
    eventually("the front notices", SOON, || {
        front.get("/health/ready").body["store"] == json!("down")
    });
    for (policy, admitted) in [("default", 3), ("closed", 0), ("open", 10), ("two", 2)] {
        let answers: Vec<_> = (0..10).map(|_| check(&front, "k", policy)).collect();
        let allowed = answers.iter().filter(|answer| answer["allowed"] == json!(true)).count();
        assert_eq!(allowed, admitted, "{policy}: {answers:?}");
        assert!(answers.iter().all(|answer| answer["degraded"] == json!(true)), "{answers:?}");
    }
    // No rule gives more than a bucket ever holds, or promises it for later.
    for (policy, granted) in [("default", 3), ("closed", 0), ("open", 3)] {
        let body = json!({ "key": "t", "policy": policy, "cost": 1_000_000 }).to_string();
        assert_eq!(front.post("/take", &body).body["granted"], json!(granted), "{policy}");
        let answer = front.check(&body);
        assert_eq!(answer["allowed"], json!(false), "{policy}: {answer}");
        assert_eq!(answer["retry_after_ms"], json!(null), "{policy}: {answer}");
    }
    // A change is refused: the caller learns that nothing was done, and may try again.
    for path in ["/refund", "/charge", "/reset"] {
        let answer = front.post(path, r#"{"key":"k"}"#);
        assert_eq!(answer.status, 503, "{}", answer.body);
        assert_eq!(answer.content_type, "application/problem+json");
        assert!(
            answer.body["detail"].to_string().contains("nothing was changed"),
            "{}",
            answer.body
        );
        assert_eq!(answer.header("retry-after"), "1");
    }
    server.start_again();
    eventually("Redis is found again", SOON, || {
        front.post("/reset", r#"{"key":"k"}"#).status == 200
    });
    assert_eq!(check(&front, "k", "closed")["allowed"], json!(true));
}

#[test]
fn a_changed_file_is_loaded_and_an_invalid_one_refused() {
    let file = PolicyFile::new(POLICIES);
    let fronts = [front(&file, None), front(&file, None)];
    let [first, second] = &fronts;
    assert_eq!(generation(first), generation(second), "replicas with one file agree");
    assert_eq!(generation(first).0, 1);
    assert_eq!(check(first, "k", "default")["remaining"], json!(2));

    file.write(&POLICIES.replace("capacity = 3", "capacity = 30"));
    eventually("both fronts have the new file", SOON, || {
        fronts.iter().all(|front| generation(front).0 == 2)
    });
    assert_eq!(generation(first), generation(second));
    // The bucket stays; its limit is the new one.
    let answer = check(first, "k", "default");
    assert_eq!((&answer["limit"], &answer["remaining"]), (&json!(30), &json!(1)));

    let before = generation(first);
    file.write("[policies.default]\ncapacity = 3\nrate = \"3 per day\"\n");
    eventually("both fronts refuse the file", SOON, || {
        fronts.iter().all(|front| front.log().contains("line 3, column 8: rate must be"))
    });
    assert!(first.log().contains("generation 2 stays"), "{}", first.log());
    assert_eq!(generation(first), before);
    assert_eq!(check(first, "k", "two")["allowed"], json!(true), "the old file stays in force");
    let metrics = first.text("/metrics");
    for line in [
        r#"rl_config_reloads_total{file="policies",result="refused"} 1"#,
        r#"rl_config_generation{file="policies"} 2"#,
        &format!(r#"rl_config_info{{file="policies",hash={}}} 1"#, before.1),
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }

    fs::remove_file(file.path()).expect("to remove the file");
    eventually("the missing file is noticed", SOON, || first.log().contains("No such file"));
    assert_eq!(check(first, "j", "default")["limit"], json!(30));
    // The new file arrives by a rename, as in Kubernetes.
    let next = file.folder.path().join("next");
    fs::write(&next, POLICIES).expect("to write");
    fs::rename(&next, file.path()).expect("to rename");
    eventually("the file is back", SOON, || generation(first).0 == 3);
}

#[test]
fn sighup_reads_the_file_again_and_ends_no_front() {
    let file = PolicyFile::new(POLICIES);
    let with = front(&file, None);
    with.signal("HUP");
    eventually("the file is read again", SOON, || generation(&with).0 == 2);
    let without = Front::start(&[]);
    without.signal("HUP");
    assert_eq!(without.check(r#"{"key":"k"}"#)["allowed"], json!(true));
    assert_eq!(generation(&without).0, 1);
}

#[test]
fn with_reload_signal_only_a_signal_reads_the_file() {
    let file = PolicyFile::new(POLICIES);
    let watching = front(&file, None);
    let quiet = Front::start(&["--config", &file.arg(), "--reload", "signal"]);
    file.write("[policies.default]\ncapacity = 30\nrate = \"30/d\"\n");
    eventually("the watching front has the new file", SOON, || generation(&watching).0 == 2);
    assert_eq!(generation(&quiet).0, 1);
    quiet.signal("HUP");
    eventually("the file is read again", SOON, || generation(&quiet).0 == 2);
    assert_eq!(generation(&quiet), generation(&watching));
}

#[test]
fn check_config_reports_errors_and_exits() {
    let file = PolicyFile::new(POLICIES);
    let good = Front::run(&["--check-config", &file.arg()]);
    let output = String::from_utf8_lossy(&good.stdout);
    assert!(good.status.success() && output.contains("policies: 5"), "{output}");
    let hash = generation(&front(&file, None)).1;
    assert!(output.contains(hash.trim_matches('"')), "the hash of the front: {output}");

    file.write("[policies.default]\ncapacity = 0\nrate = 1\n");
    let missing = file.folder.path().join("missing");
    let missing = missing.to_str().expect("a path in UTF-8");
    for (path, mistake) in [
        (file.arg().as_str(), "policies.toml: line 2, column 12: capacity must be"),
        (missing, "missing: No such file"),
    ] {
        for flag in ["--check-config", "--config"] {
            let bad = Front::run(&["--listen", "127.0.0.1:0", flag, path]);
            let output = String::from_utf8_lossy(&bad.stderr);
            assert_eq!(bad.status.code(), Some(1), "{flag}: {output}");
            assert!(output.contains(mistake), "{flag}: {output}");
        }
    }
    let both = Front::run(&["--config", &file.arg(), "--capacity", "1"]);
    assert_eq!(both.status.code(), Some(2));
}
