//! `--key-secret-file` puts a pseudonym in place of each key; and the names of buckets without it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use redis::Value;
use rl_tests::{Front, Persistence, RedisServer, Setup, eventually};
use serde_json::json;
use tempfile::TempDir;

use crate::cli;

/// The bucket that a front checks when it connects, which expires a second later.
const PROBE: &str = "rl:{probe}:probe";
const SOON: Duration = Duration::from_secs(20);
const PATIENT: [&str; 2] = ["--deadline-ms", "10000"];
const SECRET: &str = "0123456789abcdef0123456789abcdef";
const KEY: &str = "n33dle@example.org";
/// The first 32 digits of `printf %s KEY | openssl dgst -sha256 -hmac SECRET`.
const PSEUDONYM: &str = "cf7fb1d418596b3522aa3b3fbfdb9b55";
const POLICIES: &str = r#"
    inline = true
    [policies.default]
    capacity = 3
    rate = "1/d"
    overrides."vip" = { capacity = 9 }
    [policies.two]
    limits = [
      { name = "a", capacity = 9, rate = "1/d" },
      { name = "b", capacity = 5, rate = "1/d" },
    ]
"#;

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().expect("a temporary folder"))
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.0.path().join(name);
        fs::write(&path, content).expect("to write");
        path.to_str().expect("a path in UTF-8").to_owned()
    }
}

/// Sends every kind of request for [`KEY`], until it is denied.
fn send_all(front: &Front) {
    for body in [
        json!({ "key": KEY }),
        json!({ "key": KEY, "policy": "two" }),
        json!({ "key": KEY, "capacity": 5, "rate": "1/d" }),
    ] {
        for path in ["/peek", "/refund", "/charge", "/check"] {
            let answer = front.post(path, &body.to_string());
            assert_eq!((answer.status, &answer.body["degraded"]), (200, &json!(null)), "{path}");
        }
        let batch = json!({ "checks": vec![body; 9] });
        assert_eq!(front.post("/check/batch", &batch.to_string()).status, 200);
    }
    front.post("/take", &json!({ "key": KEY }).to_string());
    front.get(&format!("/check?key={KEY}"));
}

/// The content of all files below a folder.
fn content(folder: &Path) -> Vec<u8> {
    let entries =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(
            |path| {
                if path.is_dir() { content(&path) } else { fs::read(&path).unwrap_or_default() }
            },
        )
        .collect()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn redis_sees_no_key() {
    let files = Files::new();
    let (secret, policies) = (files.file("secret", SECRET), files.file("policies.toml", POLICIES));
    for engine in ["module", "lua"] {
        let server = Setup::with_module()
            .with_persistence(Persistence::Aof)
            .option(&["rdbcompression", "no"])
            .option(&["slowlog-log-slower-than", "0"])
            .start();
        let mut monitor = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
        monitor.write_all(b"MONITOR\r\n").expect("to send");
        let (url, levels) = (server.url(), [("RUST_LOG", "trace")]);
        let store = ["--store", &url, "--engine", engine, "--key-secret-file", &secret];
        let front = Front::start_with_env(
            &levels,
            &[&store[..], &PATIENT, &["--config", &policies]].concat(),
        );
        eventually("the front is ready", SOON, || front.get("/health/ready").status == 200);
        send_all(&front);

        let slow: Value = server.run("SLOWLOG GET 1000");
        server.run::<()>("SAVE");
        let [_, folder]: [String; 2] = server.run("CONFIG GET dir");
        server.run::<Value>("ECHO end-of-test");
        let mut monitored = Vec::new();
        monitor.set_read_timeout(Some(SOON)).expect("a time limit");
        while !holds(&monitored, "end-of-test") {
            let mut buffer = [0; 65536];
            let read = monitor.read(&mut buffer).expect("a line of MONITOR");
            monitored.extend(&buffer[..read]);
        }
        let disk = content(Path::new(&folder));
        let slow = format!("{slow:?}").into_bytes();
        for (what, bytes) in [("MONITOR", &monitored), ("the disk", &disk), ("SLOWLOG", &slow)] {
            assert!(holds(bytes, PSEUDONYM), "{engine}: {what} has the pseudonym");
            assert!(!holds(bytes, "n33dle"), "{engine}: {what} has the key");
        }
        let mut keys: Vec<String> = server.run("KEYS *");
        keys.retain(|name| name != PROBE);
        keys.sort();
        let policies = ["default", "inline", "two:a", "two:b"];
        assert_eq!(keys, policies.map(|policy| format!("rl:{{{PSEUDONYM}}}:{policy}")));

        // Operators see no key either.
        let denied = front.text("/admin/denied");
        assert!(denied.contains(PSEUDONYM) && !denied.contains("n33dle"), "{denied}");
        let shown = front.log() + &front.text("/metrics");
        assert!(!shown.contains("n33dle") && !shown.contains(SECRET), "{shown}");
    }
}

#[test]
fn fronts_with_one_secret_share_buckets() {
    let files = Files::new();
    let (secret, policies) = (files.file("secret", SECRET), files.file("policies.toml", POLICIES));
    let same = files.file("same", &format!("{SECRET}\n"));
    let other = files.file("other", "another secret, long enough");
    let server = Setup::with_module().start();
    let url = server.url();
    let front = |more: &[&str]| {
        Front::start(&[&["--store", &url, "--config", &policies][..], &PATIENT, more].concat())
    };
    let fronts = [
        front(&["--key-secret-file", &secret]),
        front(&["--key-secret-file", &same, "--engine", "lua"]),
        front(&["--key-secret-file", &other]),
        front(&[]),
    ];
    let left = |front: &Front, key: &str| {
        front.check(&json!({ "key": key }).to_string())["remaining"].clone()
    };
    for (at, remaining) in [(0, 2), (1, 1), (2, 2), (3, 2), (0, 0), (2, 1)] {
        assert_eq!(left(&fronts[at], "k"), json!(remaining), "front {at}");
    }
    assert_eq!(left(&fronts[0], "vip"), json!(8), "overrides of the file are by key");
    // The second denial comes from the denial cache; a reset counts at once.
    for _ in 0..2 {
        assert_eq!(fronts[0].check(r#"{"key":"k"}"#)["allowed"], json!(false));
    }
    let remembered = r#"rl_denial_cache_hits_total{policy="default"} 1"#;
    assert!(fronts[0].text("/metrics").contains(remembered), "{}", fronts[0].text("/metrics"));
    assert_eq!(fronts[0].post("/reset", r#"{"key":"k"}"#).body, json!({ "reset": 1 }));
    assert_eq!(left(&fronts[0], "k"), json!(2));
    // On the command line too.
    let limit = ["--store", &url, "--capacity", "3", "--rate", "1/d"];
    for (more, remaining) in
        [(&["--key-secret-file", &same][..], 2), (&[], 2), (&["--key-secret-file", &other], 1)]
    {
        let (_, body) = cli::json_of("peek k", &[&limit[..], more].concat());
        assert_eq!(body["remaining"], json!(remaining), "{more:?}");
    }
    assert_eq!(
        cli::json_of("reset k", &["--store", &url, "--key-secret-file", &secret]).1["reset"],
        json!(1)
    );
    assert_eq!(server.run::<i64>("EXISTS rl:{k}:default"), 1);
}

#[test]
fn buckets_in_memory_have_pseudonyms_too() {
    let files = Files::new();
    let (secret, policies) = (files.file("secret", SECRET), files.file("policies.toml", POLICIES));
    let front = Front::start(&["--key-secret-file", &secret, "--config", &policies]);
    send_all(&front);
    assert_eq!(front.check(&json!({ "key": KEY }).to_string())["allowed"], json!(false));
    assert_eq!(front.check(r#"{"key":"other"}"#)["remaining"], json!(2));
    let denied = front.text("/admin/denied");
    assert!(denied.contains(PSEUDONYM) && !denied.contains("n33dle"), "{denied}");
}

#[test]
fn credentials_are_keys_only_with_a_secret() {
    let files = Files::new();
    let secret = files.file("secret", SECRET);
    let (plain, hidden) = (Front::start(&[]), Front::start(&["--key-secret-file", &secret]));
    for name in ["Authorization", "Cookie", "Proxy-Authorization"] {
        let path = format!("/check?key_header={}", name.to_lowercase());
        let refused = plain.request("GET", &path, &[(name, KEY)], "");
        assert_eq!(refused.status, 422, "{name}: {}", refused.body);
        let text = refused.body["detail"].as_str().expect("a detail");
        assert!(text.contains(name) && text.contains("--key-secret-file"), "{text}");
        assert_eq!(hidden.request("GET", &path, &[(name, KEY)], "").status, 200, "{name}");
    }
}

#[test]
fn an_invalid_secret_stops_the_start() {
    let files = Files::new();
    let short = files.file("short", "fifteen-letters\n");
    let missing = files.0.path().join("missing").display().to_string();
    for (file, reason) in [
        (&short, "the secret must be of 16 to 4096 bytes: openssl rand -hex 32 makes one"),
        (&missing, "No such file"),
    ] {
        let output = Front::run(&["--listen", "127.0.0.1:0", "--key-secret-file", file]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(stderr.contains(&format!("--key-secret-file {file}: {reason}")), "{stderr}");
        assert!(!output.status.success() && !stderr.contains("fifteen-letters"), "{stderr}");
    }
    let (code, _, stderr) = cli::run("peek k --store redis://h --key-secret-file", &[&short]);
    assert!(
        code == 2 && stderr.contains("16 to 4096 bytes") && !stderr.contains("fifteen"),
        "{stderr}"
    );
}

/// A cluster of one node.
fn cluster() -> RedisServer {
    let server = Setup::with_module().option(&["cluster-enabled", "yes"]).start();
    let slots: Vec<String> = (0..16384).map(|slot| slot.to_string()).collect();
    server.run::<()>(&format!("CLUSTER ADDSLOTS {}", slots.join(" ")));
    eventually("the cluster is up", SOON, || {
        server.run::<String>("CLUSTER INFO").contains("cluster_state:ok")
    });
    server
}

#[test]
fn every_key_has_one_slot_and_buckets_of_its_own() {
    let files = Files::new();
    let (secret, policies) = (files.file("secret", SECRET), files.file("policies.toml", POLICIES));
    let server = cluster();
    let url = server.url();
    let keys = ["}", "}}", "}x", "{", "{}", "{}x", "a}b", ":{:}x", ":}x", "x}:two", "\u{e9}}", "x"];
    for more in [&["--engine", "module"][..], &["--engine", "lua"], &["--key-secret-file", &secret]]
    {
        server.run::<()>("FLUSHALL");
        let front =
            Front::start(&[&["--store", &url, "--config", &policies][..], &PATIENT, more].concat());
        let mut buckets = Vec::<String>::new();
        for key in keys {
            // The bucket is full, whatever other keys have taken, and drains one by one.
            for left in (0..5).rev() {
                let answer = front.check(&json!({ "key": key, "policy": "two" }).to_string());
                assert_eq!(answer["degraded"], json!(null), "{key}: {answer}");
                assert_eq!(answer["remaining"], json!(left), "{key}: {answer}");
            }
            let mut now: Vec<String> = server.run("KEYS *");
            now.retain(|name| name != PROBE);
            let new: Vec<_> = now.iter().filter(|name| !buckets.contains(name)).collect();
            let [one, two] = new[..] else { panic!("{key}: {new:?}") };
            let slot = |name| server.run::<i64>(&format!("CLUSTER KEYSLOT {name}"));
            assert_eq!(slot(one), slot(two), "{key}: {new:?}");
            assert!(now.iter().all(|name| name.starts_with("rl:")), "{now:?}");
            buckets = now;
        }
    }
}
