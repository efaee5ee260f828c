//! Policies with `key = "ip"`: one bucket for an address, however it is written, and for an IPv6
//! network.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::time::Duration;

use rl_tests::{
    Application, Client, Front, Proxy, ProxyProgram, RedisServer, Scrape, Setup, eventually, skip,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cli;

const PAGE: &str = include_str!("../../docs/proxies.md");
const POLICIES: &str = r#"
[policies.default]
key = "ip"
capacity = 5
rate = "1/d"
overrides."2001:DB8:1::1" = { capacity = 9 }

[policies.wide]
key = "ip"
ipv6_prefix = 48
limits = [
  { name = "burst", capacity = 3, rate = "1/d" },
  { name = "day", capacity = 5, rate = "1/d" },
]

[policies.text]
capacity = 5
rate = "1/d"
"#;
const SOON: Duration = Duration::from_secs(20);
const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// The first 32 digits of `printf %s 2001:db8::/64 | openssl dgst -sha256 -hmac SECRET`.
const PSEUDONYM: &str = "d8702f872354b085e51f85ad66e43551";

/// Fronts under one policy file.
struct Fronts {
    folder: TempDir,
    policies: &'static str,
}

// === impl Fronts ===

impl Fronts {
    fn new(policies: &'static str) -> Self {
        Self { folder: TempDir::new().expect("a temporary folder"), policies }
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, content).expect("to write");
        path.to_str().expect("a path in UTF-8").to_owned()
    }

    fn start(&self, more: &[&str]) -> Front {
        let policies = self.file("policies.toml", self.policies);
        Front::start(&[&["--config", &policies, "--deadline-ms", "10000"], more].concat())
    }

    fn over(&self, server: &RedisServer, engine: &str) -> Front {
        self.start(&["--store", &server.url(), "--engine", engine])
    }
}

fn post(front: &Front, path: &str, key: &str) -> Value {
    let response = front.post(path, &json!({ "key": key }).to_string());
    assert_eq!(response.status, 200, "{path} {key}: {}", response.body);
    assert_eq!(response.body["degraded"], Value::Null, "{path} {key}");
    response.body
}

fn remaining(front: &Front, key: &str) -> Value {
    post(front, "/peek", key)["remaining"].clone()
}

/// The keys of `/admin/denied`.
fn denied(front: &Front) -> Vec<Value> {
    let denied = front.get("/admin/denied").body["denied"].clone();
    denied.as_array().expect("a list").iter().map(|it| it["key"].clone()).collect()
}

/// Takes the five tokens of one network through five addresses and five forms of a request.
fn drain(front: &Front) {
    assert_eq!(post(front, "/check", "2001:db8::1")["remaining"], json!(4));
    assert_eq!(front.get("/check?key=2001:db8::2").status, 200);
    let header = [("X-RL-Key", "2001:0DB8:0:0:a::3")];
    assert_eq!(front.request("HEAD", "/check?key_header=X-RL-Key", &header, "").status, 200);
    let batch = front.post("/check/batch", r#"{"checks":[{"key":"[2001:db8::4]:443"}]}"#);
    assert_eq!(batch.body["results"][0]["remaining"], json!(1), "{}", batch.body);
    assert_eq!(post(front, "/take", "2001:db8::5")["granted"], json!(1));
}

#[test]
fn the_addresses_of_a_network_have_one_bucket() {
    let fronts = Fronts::new(POLICIES);
    let (module, plain) = (Setup::with_module().start(), Setup::plain().start());
    for redis in [None, Some((&module, "module")), Some((&plain, "lua"))] {
        let front = redis.map_or_else(|| fronts.start(&[]), |(it, engine)| fronts.over(it, engine));
        drain(&front);
        // A denial holds for all of them, and is listed once.
        for key in ["2001:db8::1", "2001:db8::6", "2001:db8:0:0:ffff::"] {
            assert_eq!(post(&front, "/check", key)["allowed"], json!(false), "{key}");
        }
        assert_eq!(front.get("/check?key=2001:db8::7").status, 429);
        assert_eq!(post(&front, "/take", "2001:db8::8")["granted"], json!(0));
        assert_eq!(denied(&front), [json!("2001:db8::/64")]);
        if redis.is_some() {
            let mut host = 0x100;
            eventually("an address finds the denial of another", SOON, || {
                host += 1;
                post(&front, "/check", &format!("2001:db8::{host:x}"));
                let hits = r#"rl_denial_cache_hits_total{policy="default"}"#;
                Scrape::parse(&front.text("/metrics")).value(hits) > 0.0
            });
        }
        // So does every change.
        assert_eq!(post(&front, "/refund", "2001:db8::9")["remaining"], json!(1));
        assert_eq!(post(&front, "/charge", "2001:db8::a")["remaining"], json!(0));
        assert_eq!(post(&front, "/reset", "2001:db8::b"), json!({ "reset": 1 }));
        assert_eq!(remaining(&front, "2001:db8::1"), json!(5));

        // The next network is another's, and an override is for a whole network.
        drain(&front);
        assert_eq!(remaining(&front, "2001:db8:0:1::1"), json!(5));
        assert_eq!(post(&front, "/check", "2001:db8:1::2")["limit"], json!(9));
        let wide = |key: &str| {
            front.check(&json!({ "key": key, "policy": "wide" }).to_string())["remaining"].clone()
        };
        let keys = ["2001:db8:7:1::", "2001:db8:7:2::", "2001:db8:8::"];
        assert_eq!(keys.map(wide), [json!(2), json!(1), json!(2)]);

        // The form that is listed and stored names the bucket too.
        assert_eq!(remaining(&front, "2001:db8::/64"), json!(0));
        let server = ["--server", &cli::url(&front)];
        assert_eq!(cli::json_of("peek 2001:db8::c", &server).1["remaining"], json!(0));
        let Some((redis, _)) = redis else { continue };
        let names = ["default", "wide:burst", "wide:day"].into_iter().zip([
            "2001:db8::/64",
            "2001:db8:7::/48",
            "2001:db8:8::/48",
        ]);
        for (policy, key) in names {
            assert_eq!(redis.run::<i64>(&format!("EXISTS rl:{{{key}}}:{policy}")), 1, "{key}");
        }
        let store = ["--store", &redis.url()];
        let limit = [&store[..], &["--capacity", "5", "--rate", "1/d"]].concat();
        assert_eq!(cli::json_of("peek 2001:db8::/64", &limit).1["remaining"], json!(0));
        assert_eq!(cli::json_of("reset 2001:db8::/64", &store).1["reset"], json!(1));
    }
}

#[test]
fn an_ipv4_address_has_one_bucket_by_either_protocol() {
    let front = Fronts::new(POLICIES).start(&[]);
    let keys = [
        "192.0.2.1",
        "::ffff:192.0.2.1",
        "::FFFF:C000:201",
        "192.0.2.1:5678",
        "[::ffff:192.0.2.1]:443",
        " 192.0.2.1",
    ];
    for (left, key) in (-1..=4).rev().zip(keys) {
        let answer = post(&front, "/check", key);
        assert_eq!(answer["remaining"], json!(left.max(0)), "{key}");
        assert_eq!(answer["allowed"], json!(left >= 0), "{key}");
    }
    assert_eq!(denied(&front), [json!("192.0.2.1")]);
    assert_eq!(remaining(&front, "192.0.2.2"), json!(5));
    // Other policies keep the bytes of a key.
    for key in ["192.0.2.1", "::ffff:192.0.2.1", "192.0.2.1:5678"] {
        let body = json!({ "key": key, "policy": "text" }).to_string();
        assert_eq!(front.check(&body)["remaining"], json!(4), "{key}");
    }
}

#[test]
fn a_key_that_is_no_address_is_refused() {
    let front = Fronts::new(POLICIES).start(&[]);
    for key in ["n33dle", "192.0.2.1, 198.51.100.1", "2001:db8::/48", "unknown", "010.0.0.1"] {
        let body = json!({ "key": key }).to_string();
        for path in ["/check", "/peek", "/take", "/refund", "/charge", "/reset"] {
            let refused = front.post(path, &body);
            assert_eq!(refused.status, 422, "{path} {key}: {}", refused.body);
            let detail = refused.body["detail"].as_str().expect("a detail");
            assert!(detail.starts_with("key must be one IP address"), "{detail}");
            assert!(!detail.contains(key), "{detail}");
        }
        let header = [("X-RL-Key", key)];
        let path = "/check?key_header=X-RL-Key";
        assert_eq!(front.request("GET", path, &header, "").status, 422, "{key}");
        // Its neighbours in a batch are decided.
        let batch = json!({ "checks": [{ "key": key }, { "key": "2001:db8::1", "cost": 0 }] });
        let results = front.post("/check/batch", &batch.to_string()).body["results"].clone();
        assert_eq!(results[0]["status"], json!(422), "{results}");
        assert_eq!(results[1]["allowed"], json!(true), "{results}");
    }
    assert_eq!(denied(&front), [] as [Value; 0]);
}

#[test]
fn a_pseudonym_stands_for_the_network() {
    let (fronts, server) = (Fronts::new(POLICIES), Setup::with_module().start());
    let secret = fronts.file("secret", SECRET);
    let front = fronts.start(&["--store", &server.url(), "--key-secret-file", &secret]);
    drain(&front);
    assert_eq!(post(&front, "/check", "2001:db8::6")["allowed"], json!(false));
    assert_eq!(denied(&front), [json!(PSEUDONYM)]);
    let keys: Vec<String> = server.run("KEYS *:default");
    assert_eq!(keys, [format!("rl:{{{PSEUDONYM}}}:default")]);
}

/// An nginx with this listener, which asks the front by the address of the connection.
fn nginx(listen: &str, front: &Front, application: &Application) -> Proxy {
    const NGINX: ProxyProgram =
        ProxyProgram { name: "nginx", variable: None, arguments: &["-p", ".", "-c", "nginx.conf"] };
    let (front, application) = (front.address(), application.port());
    NGINX.start(|port| {
        let text = format!(
            "daemon off; master_process off; pid pid; error_log stderr; events {{}}
            http {{
                access_log off; client_body_temp_path body; proxy_temp_path proxy;
                fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
                server {{
                    listen {};
                    location / {{
                        auth_request /rl;
                        proxy_set_header X-Seen $remote_addr;
                        proxy_pass http://127.0.0.1:{application};
                    }}
                    location = /rl {{
                        internal;
                        proxy_set_header X-RL-Key $remote_addr;
                        proxy_pass http://{front}/check?deny_status=403&key_header=X-RL-Key;
                    }}
                }}
            }}",
            listen.replace("PORT", &port.to_string())
        );
        vec![("nginx.conf".into(), text)]
    })
}

#[test]
fn a_dual_stack_listener_gives_no_second_bucket() {
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        skip!("there is no IPv6 here");
    }
    let (front, application) = (Fronts::new(POLICIES).start(&[]), Application::start());
    let ipv4 = nginx("127.0.0.1:PORT", &front, &application);
    let dual = nginx("[::]:PORT ipv6only=off", &front, &application);
    let client = Client(Ipv4Addr::new(127, 0, 0, 9));
    for (left, proxy, seen) in [
        (4, &ipv4, "127.0.0.9"),
        (3, &dual, "::ffff:127.0.0.9"),
        (2, &dual, "::ffff:127.0.0.9"),
        (1, &ipv4, "127.0.0.9"),
        (0, &dual, "::ffff:127.0.0.9"),
    ] {
        assert_eq!(client.request(proxy.port(), "GET /", b"").status(), 200, "{left}");
        assert_eq!(application.take()[0].header("x-seen"), seen);
        assert_eq!(remaining(&front, "127.0.0.9"), json!(left));
    }
    for proxy in [&ipv4, &dual] {
        assert_eq!(client.request(proxy.port(), "GET /", b"").status(), 403);
    }
    assert_eq!(denied(&front), [json!("127.0.0.9")]);
}

#[test]
fn the_policy_for_proxies_is_by_address() {
    let block = PAGE.split_once("```toml\n[policies.default]").expect("a policy on the page").1;
    let (block, _) = block.split_once("```").expect("its end");
    let fronts = Fronts::new("");
    let policies = fronts.file("policies.toml", &format!("[policies.default]{block}"));
    let front = Front::start(&["--config", &policies]);
    let limit = remaining(&front, "192.0.2.1").as_i64().expect("a number");
    for (used, key) in ["192.0.2.1", "::ffff:192.0.2.1"].into_iter().enumerate() {
        let answer = post(&front, "/check", key);
        assert_eq!(answer["remaining"], json!(limit - 1 - used as i64), "{key}");
    }
    post(&front, "/check", "2001:db8::1");
    assert_eq!(remaining(&front, "2001:db8::2"), json!(limit - 1));
}
