//! Redis as the image of `module/` starts it, with other paths, and its users.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use rl_tests::{ChildProcess, eventually, free_port, module_path};
use tempfile::TempDir;

use super::{instructions, text};

const SOON: Duration = Duration::from_secs(30);
const PASSWORD: &str = "pass word\"#%{}";
const MODULE: &str = "/usr/lib/redis/modules/librl.so";

/// A container of that image: its files, and its Redis once started.
pub(super) struct Store {
    folder: TempDir,
    pub(super) port: u16,
    redis: Option<ChildProcess>,
}

// === impl Store ===

impl Store {
    /// Starts one and waits until it serves.
    pub(super) fn start() -> Self {
        let mut store = Self::new(Some(&format!("{PASSWORD}\r\nnot this line\n")));
        store.redis = Some(store.boot(&[]));
        eventually("Redis is ready", SOON, || {
            store.redis.as_ref().unwrap().output().contains("Ready to accept")
        });
        store
    }

    fn new(password: Option<&str>) -> Self {
        let store = Self { folder: TempDir::new().unwrap(), port: free_port(), redis: None };
        for name in ["data", "run"] {
            fs::create_dir(store.path(name)).unwrap();
        }
        if let Some(password) = password {
            fs::write(store.password_file(), password).unwrap();
        }
        for name in ["redis.conf", "rl-redis", "rl-redis-ready"] {
            let paths = [
                ("/usr/local/etc/rl-redis.conf", store.path("redis.conf")),
                ("/run/rl", store.path("run")),
                ("/data", store.path("data")),
                (MODULE, module_path()),
                ("redis-cli ", PathBuf::from(format!("redis-cli -p {} ", store.port))),
            ];
            let text =
                paths.iter().fold(text(&format!("module/image/{name}")), |text, (from, to)| {
                    text.replace(from, to.to_str().unwrap())
                });
            fs::write(store.path(name), text).unwrap();
        }
        store
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The value of `RL_REDIS_PASSWORD_FILE`.
    pub(super) fn password_file(&self) -> PathBuf {
        self.path("password")
    }

    fn script(&self, name: &str) -> Command {
        let mut command = Command::new("bash");
        command.arg(self.path(name)).env("RL_REDIS_PASSWORD_FILE", self.password_file());
        command
    }

    fn boot(&self, flags: &[&str]) -> ChildProcess {
        let mut command = self.script("rl-redis");
        let port = self.port.to_string();
        ChildProcess::launch(command.args(["--bind", "127.0.0.1", "--port", &port]).args(flags))
    }

    /// Runs the health check.
    pub(super) fn ready(&self) -> Output {
        self.script("rl-redis-ready").output().unwrap()
    }

    fn cli(&self, user: &str, password: &str, words: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string()]);
        if !user.is_empty() {
            command.args(["--user", user]).env("REDISCLI_AUTH", password);
        }
        let output = command.args(words).output().expect("redis-cli, which scripts/test installs");
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap().trim().to_owned()
    }

    /// The log of a start that must fail.
    fn refusal(&self) -> String {
        let mut redis = self.boot(&[]);
        assert!(!redis.wait(SOON).success());
        redis.output()
    }
}

#[test]
fn nobody_gets_in_without_the_password() {
    let store = Store::start();
    assert_eq!(store.ready().status.code(), Some(0), "{:?}", store.ready());
    assert_eq!(store.cli("", "", &["PING"]), "NOAUTH Authentication required.");
    for user in ["default", "rl-module", "operator"] {
        let output = store.cli(user, "guess", &["PING"]);
        assert!(output.contains("WRONGPASS"), "{user}: {output}");
    }
    assert!(store.cli("rl-module", PASSWORD, &["FLUSHALL"]).contains("NOPERM"));

    // Operators may do everything. Their password is in a file that only Redis can read.
    let file = store.path("run/operator");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let operator = fs::read_to_string(file).unwrap();
    let operate = |words: &[&str]| store.cli("operator", operator.trim(), words);
    for (directive, value) in [
        ("appendonly", "yes"),
        ("maxmemory", "268435456"),
        ("maxmemory-policy", "volatile-ttl"),
        ("protected-mode", "yes"),
    ] {
        assert_eq!(operate(&["CONFIG", "GET", directive]), format!("{directive}\n{value}"));
    }

    // After the password file changes, the health check fails too.
    fs::write(store.password_file(), "another").unwrap();
    assert_ne!(store.ready().status.code(), Some(0));
    let log = store.redis.as_ref().unwrap().output();
    assert!(!log.contains(PASSWORD) && !log.contains(operator.trim()), "{log}");
}

#[test]
fn buckets_outlive_the_container() {
    let mut store = Store::start();
    let check = ["RL.CHECK", "rl:{k}", "9", "1/d"];
    assert!(store.cli("rl-module", PASSWORD, &check).starts_with("1\n9\n8"));
    let mut redis = store.redis.take().unwrap();
    redis.signal("TERM");
    assert!(redis.wait(SOON).success());
    // Flags override the file: deployments give more memory.
    let _redis = store.boot(&["--maxmemory", "600mb"]);
    eventually("Redis is ready", SOON, || store.ready().status.success());
    assert!(store.cli("rl-module", PASSWORD, &check).starts_with("1\n9\n7"));
    let operator = fs::read_to_string(store.path("run/operator")).unwrap();
    let memory = store.cli("operator", operator.trim(), &["CONFIG", "GET", "maxmemory"]);
    assert_eq!(memory, "maxmemory\n629145600");
}

#[test]
fn without_a_password_it_does_not_start() {
    for (password, reason) in [
        (None, "cannot read"),
        (Some(""), "the first line of"),
        (Some("\r\nnot this line\n"), "the first line of"),
    ] {
        let output = Store::new(password).refusal();
        assert!(output.contains(reason), "{password:?}: {output}");
    }
}

#[test]
fn permissions_of_fronts_are_those_of_the_page() {
    let words = |line: &str| {
        let words = line.split(' ').map(|word| word.trim_matches('"'));
        words.filter(|it| !it.starts_with(['>', '#'])).map(str::to_owned).collect::<Vec<_>>()
    };
    let (page, script) = (text("docs/security.md"), text("module/image/rl-redis"));
    let page = page.lines().find_map(|line| line.strip_prefix("ACL SETUSER rl-module "));
    let script = script.replace("$(hash \"$password\")", "");
    let script = script.lines().find_map(|line| line.strip_prefix("user rl-module "));
    assert_eq!(words(page.unwrap()), words(script.unwrap()));
}

#[test]
fn the_image_has_the_files_and_programs_that_the_vm_uses() {
    let lines = instructions("module/Dockerfile");
    let boot = text("terraform/modules/store-vm/boot/main.tf");
    let service = text("terraform/modules/store-vm/boot/files/rl-redis.service");
    assert!(boot.contains(MODULE) && lines.iter().any(|line| line.ends_with(MODULE)));
    assert!(service.contains("--user 6379:6379") && lines.contains(&"USER 6379:6379".to_owned()));
    let installed = lines.iter().find(|line| line.contains("redis-server")).unwrap();
    for program in ["curl", "openssl", "ca-certificates"] {
        assert!(installed.contains(program), "{program}");
    }
}
