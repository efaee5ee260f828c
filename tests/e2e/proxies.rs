//! The configurations of `docs/proxies.md`, each in a real proxy before a real front.
//!
//! They are run as they stand on the page, except for ports and folders.

use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use rl_tests::{Application, Client, Front, Message, Proxy, ProxyProgram, eventually};

const PAGE: &str = include_str!("../../docs/proxies.md");
/// Why the tests of a proxy are skipped.
const ABSENT: &str = "the proxy is not here: `scripts/test --servers` fetches it";

/// A proxy of the page.
struct Kind {
    program: ProxyProgram,
    /// The page's files, by name.
    files: &'static [&'static str],
    /// A file that the page leaves to the installation: its name and text.
    main_file: Option<(&'static str, &'static str)>,
    /// Whether allowed answers have the `RateLimit` header.
    has_rate_limit: bool,
    /// The status that a client gets when the front does not answer.
    closed_status: u16,
}

const NGINX: Kind = Kind {
    program: ProxyProgram {
        name: "nginx",
        variable: None,
        arguments: &["-p", ".", "-c", "nginx.conf"],
    },
    files: &["app.conf"],
    // One process, so that it can be killed.
    main_file: Some((
        "nginx.conf",
        "daemon off; master_process off; pid pid; error_log stderr; events {}
        http {
            access_log off; client_body_temp_path body; proxy_temp_path proxy;
            fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
            include app.conf;
        }",
    )),
    has_rate_limit: true,
    closed_status: 503,
};

const CADDY: Kind = Kind {
    program: ProxyProgram {
        name: "caddy",
        variable: None,
        arguments: &["run", "--adapter", "caddyfile", "--config", "Caddyfile"],
    },
    files: &["app.caddy"],
    main_file: Some(("Caddyfile", "{\n\tadmin off\n}\nimport app.caddy\n")),
    has_rate_limit: true,
    closed_status: 503,
};

const HAPROXY: Kind = Kind {
    program: ProxyProgram { name: "haproxy", variable: None, arguments: &["-f", "haproxy.cfg"] },
    files: &["haproxy.cfg", "rl.lua"],
    main_file: None,
    has_rate_limit: true,
    closed_status: 503,
};

const TRAEFIK: Kind = Kind {
    program: ProxyProgram {
        name: "traefik",
        variable: Some("RL_TRAEFIK"),
        arguments: &["--configfile=traefik.yml"],
    },
    files: &["traefik.yml", "dynamic.yml"],
    main_file: None,
    has_rate_limit: false,
    closed_status: 500,
};

const ENVOY: Kind = Kind {
    program: ProxyProgram {
        name: "envoy",
        variable: Some("RL_ENVOY"),
        arguments: &["-c", "envoy.yaml", "--disable-hot-restart", "--concurrency", "1"],
    },
    files: &["envoy.yaml"],
    main_file: None,
    has_rate_limit: true,
    closed_status: 503,
};

#[derive(Clone, Copy, PartialEq)]
enum Fails {
    Closed,
    Open,
}

/// A proxy, with the front and the application behind it.
struct Site {
    front: Front,
    application: Application,
    proxy: Proxy,
}

// === impl Site ===

impl Site {
    fn start(kind: &Kind, capacity: &str, fails: Fails) -> Self {
        let front = Front::start(&["--capacity", capacity, "--rate", "1/d"]);
        let application = Application::start();
        let (_, front_port) = front.address().split_once(':').expect("a port");
        let front_port = front_port.parse().expect("a port");
        let proxy = kind.program.start(|port| {
            let ports = [(8000, port), (8080, front_port), (3000, application.port())];
            let folder = format!("/etc/{}/", kind.program.name);
            let files = kind.files.iter().map(|name| {
                let text = with_ports(&failing(block(name), fails), &ports);
                ((*name).into(), text.replace(&folder, ""))
            });
            files.chain(kind.main_file.map(|(name, text)| (name.into(), text.to_owned()))).collect()
        });
        let site = Self { front, application, proxy };
        // Some proxies listen before they have their routes.
        eventually("the proxy serves", Duration::from_secs(30), || {
            site.send(250, "GET /", b"").status() == 200
        });
        site.application.take();
        site
    }

    /// Sends a request from 127.0.0.`client`.
    #[track_caller]
    fn send(&self, client: u8, request: &str, body: &[u8]) -> Message {
        Client(Ipv4Addr::new(127, 0, 0, client)).request(self.proxy.port(), request, body)
    }
}

/// The file of this name on the page.
fn block(name: &str) -> &'static str {
    let mut blocks = PAGE.split("\n```").skip(1).step_by(2);
    let block = blocks
        .find(|block| block.lines().nth(1).is_some_and(|line| line.ends_with(&format!("/{name}"))));
    let (_, text) = block.and_then(|block| block.split_once('\n')).expect("a file on the page");
    text
}

/// A file as it stands, or changed to fail open as the page says.
fn failing(text: &str, fails: Fails) -> String {
    let lines = text.lines().filter_map(|line| match fails {
        Fails::Closed => Some(line.to_owned()),
        Fails::Open if line.ends_with("# fail closed") => None,
        Fails::Open => Some(line.replacen("# fail open: ", "", 1)),
    });
    lines.map(|line| line + "\n").collect()
}

/// The text with its ports replaced.
fn with_ports(text: &str, ports: &[(u16, u16)]) -> String {
    let pieces = text.split_inclusive(|c: char| !c.is_ascii_digit());
    let replaced = pieces.map(|piece| {
        let number = piece.trim_end_matches(|c: char| !c.is_ascii_digit());
        match ports.iter().find(|(from, _)| from.to_string() == number) {
            Some((_, to)) => piece.replace(number, &to.to_string()),
            None => piece.to_owned(),
        }
    });
    replaced.collect()
}

/// A client empties its own bucket through the proxy, and no other.
fn limits(kind: &Kind) {
    let site = Site::start(kind, "3", Fails::Closed);
    for remaining in [2, 1, 0] {
        let answer = site.send(2, "GET /hello", b"");
        assert_eq!((answer.status(), &answer.body[..]), (200, &b"hello"[..]), "{answer:?}");
        let start = format!("\"default\";r={remaining};t=");
        let start = if kind.has_rate_limit { &start[..] } else { "" };
        assert!(answer.header("ratelimit").starts_with(start), "{answer:?}");
        assert_eq!(answer.header("ratelimit-policy").is_empty(), start.is_empty(), "{answer:?}");
        assert_eq!(answer.header("retry-after"), "", "{answer:?}");
    }
    for request in [
        "GET /hello",
        "GET /hello?key=other&cost=0&policy=none",
        "GET /hello&key=other&cost=0",
        "GET /hello\nX-RL-Key: other",
        "GET /hello\nX-Forwarded-For: 127.0.0.9\nX-Real-IP: 127.0.0.9\nForwarded: for=127.0.0.9",
    ] {
        let answer = site.send(2, request, b"");
        assert_eq!(answer.status(), 429, "{request}: {answer:?}");
        let wait: u32 = answer.header("retry-after").parse().expect("seconds to wait");
        assert!((86_000..=86_400).contains(&wait), "{answer:?}");
        assert!(answer.header("ratelimit").starts_with("\"default\";r=0;t="), "{answer:?}");
        assert_eq!(answer.header("ratelimit-policy"), "\"default\";q=3;w=259200", "{answer:?}");
    }
    assert_eq!(site.application.take().len(), 3, "allowed requests reach the application");

    // Other clients have other buckets, and many requests at once get no more than a bucket holds.
    assert_eq!(site.send(3, "GET /hello", b"").status(), 200);
    let allowed = thread::scope(|scope| {
        let callers: Vec<_> =
            (0..12).map(|_| scope.spawn(|| site.send(4, "GET /hello", b"").status())).collect();
        let statuses = callers.into_iter().map(|caller| caller.join().expect("an answer"));
        statuses.filter(|status| *status == 200).count()
    });
    assert_eq!(allowed, 3);
    assert_eq!(site.application.take().len(), 1 + 3);
}

/// Allowed requests reach the application as the client sent them.
fn passes(kind: &Kind) {
    let site = Site::start(kind, "100", Fails::Closed);
    let long: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    for (line, body) in [
        ("POST /form?a=b&key=c", &b"a=b"[..]),
        ("PUT /file", &long),
        ("POST /empty", b""),
        ("DELETE /file", b""),
    ] {
        let answer = site.send(2, &format!("{line}\nAuthorization: Basic YTpi\nCookie: a=b"), body);
        assert_eq!(answer.status(), 200, "{line}: {answer:?}");
        let requests = site.application.take();
        assert_eq!(requests.len(), 1, "{line}: {requests:?}");
        assert!(
            requests[0].start_line.starts_with(&format!("{line} HTTP/")),
            "{line}: {requests:?}"
        );
        assert!(
            requests[0].body == body,
            "{line}: {} bytes of {}",
            requests[0].body.len(),
            body.len()
        );
        assert_eq!(requests[0].header("authorization"), "Basic YTpi");
        assert_eq!(requests[0].header("cookie"), "a=b");
    }
}

/// Without a front every request is denied, or none.
fn without_front(kind: &Kind, fails: Fails) {
    let mut site = Site::start(kind, "1", fails);
    assert_eq!(site.send(2, "GET /", b"").status(), 200);
    assert_eq!(site.send(2, "GET /", b"").status(), 429);
    site.application.take();
    let expected = if fails == Fails::Open { 200 } else { kind.closed_status };

    site.front.signal("KILL");
    site.front.wait(Duration::from_secs(20));
    let body = [b'x'; 50_000];
    let answer = site.send(2, "POST /", &body);
    assert_eq!(answer.status(), expected, "{answer:?}");
    let passed = site.application.take();
    assert_eq!(passed.len(), usize::from(fails == Fails::Open));
    assert!(passed.iter().all(|request| request.body == body), "bodies arrive unchanged");
}

/// A front that hangs counts as none, after a second.
fn with_stuck_front(kind: &Kind, fails: Fails) {
    let site = Site::start(kind, "1", fails);
    site.front.signal("STOP");
    let expected = if fails == Fails::Open { 200 } else { kind.closed_status };
    // Its threads stop one after the other: one may still answer.
    eventually("the front does not answer", Duration::from_secs(60), || {
        site.application.take();
        site.send(2, "POST /", b"a=b").status() == expected
    });
    assert_eq!(site.application.take().len(), usize::from(fails == Fails::Open));
    site.front.signal("CONT");
    eventually("the proxy asks again", Duration::from_secs(30), || {
        site.send(3, "GET /", b"").status() == 429
    });
}

/// The tests of one proxy.
macro_rules! proxy {
    ($module:ident, $kind:ident, $($fails:ident $name:ident),+) => {
        mod $module {
            use rl_tests::skip;

            use super::{ABSENT, Fails, $kind};

            #[test]
            fn limits() {
                if $kind.program.is_absent() {
                    skip!("{ABSENT}");
                }
                super::limits(&$kind);
            }

            #[test]
            fn passes_the_rest_untouched() {
                if $kind.program.is_absent() {
                    skip!("{ABSENT}");
                }
                super::passes(&$kind);
            }

            $(
                mod $name {
                    use super::{ABSENT, Fails, $kind, skip};

                    #[test]
                    fn without_a_front() {
                        if $kind.program.is_absent() {
                            skip!("{ABSENT}");
                        }
                        super::super::without_front(&$kind, Fails::$fails);
                    }

                    #[test]
                    fn with_a_stuck_front() {
                        if $kind.program.is_absent() {
                            skip!("{ABSENT}");
                        }
                        super::super::with_stuck_front(&$kind, Fails::$fails);
                    }
                }
            )+
        }
    };
}

proxy!(nginx, NGINX, Closed closed, Open open);
proxy!(caddy, CADDY, Closed closed, Open open);
proxy!(haproxy, HAPROXY, Closed closed, Open open);
proxy!(traefik, TRAEFIK, Closed closed);
proxy!(envoy, ENVOY, Closed closed, Open open);
