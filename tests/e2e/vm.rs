//! The start-up files of `terraform/modules/store-vm`, as the VM gets them: fronts are served over
//! TLS, and keep their buckets.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rl_tests::{Application, ChildProcess, Front, Message, eventually, free_port, module_path};
use serde_json::{Value, json};
use tempfile::TempDir;

const BOOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../terraform/modules/store-vm/boot");
const SECURITY: &str = include_str!("../../docs/security.md");
const BALANCER: &str = include_str!("../../terraform/modules/store-vm/balancer.tf");
const SOON: Duration = Duration::from_secs(30);
const PASSWORD: &str = "pass word\"%{}";

/// A VM: its files, its data disk, and Google's services around it.
struct Vm {
    folder: TempDir,
    port: u16,
    /// Metadata server and Secret Manager.
    google: Application,
    /// The content of the password's secret.
    password: Arc<Mutex<String>>,
}

// === impl Vm ===

impl Vm {
    fn new() -> Self {
        let password = Arc::new(Mutex::new(PASSWORD.to_owned()));
        let secret = Arc::clone(&password);
        let google =
            Application::with_handler(move |request| google(request, &secret.lock().unwrap()));
        let folder = TempDir::new().unwrap();
        let vm = Self { folder, port: free_port(), google, password };
        for name in ["etc", "data", "run"] {
            fs::create_dir(vm.path(name)).unwrap();
        }
        for (path, content) in rendered(&vm.values()) {
            if let Some(name) = path.strip_prefix("/etc/rl/") {
                fs::write(vm.path("etc").join(name), content).unwrap();
            }
        }
        vm
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The variables for Terraform; the paths are `etc`, `data`, `run` and `module`.
    fn values(&self) -> BTreeMap<&'static str, String> {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        BTreeMap::from([
            ("address", "127.0.0.1".to_owned()),
            ("image", "registry.test/rl/redis@sha256:0".to_owned()),
            ("registry", "registry.test".to_owned()),
            ("port", self.port.to_string()),
            ("password_secret", "projects/p/secrets/rl-vm-auth/versions/7".to_owned()),
            ("ca_secret", "projects/p/secrets/rl-vm-ca".to_owned()),
            ("secret_manager", format!("http://127.0.0.1:{}", self.google.port())),
            ("etc", text(self.path("etc"))),
            ("data", text(self.path("data"))),
            ("run", text(self.path("run"))),
            ("module", text(module_path())),
        ])
    }

    /// Runs the command of the container. Its `/run` is empty each time.
    fn boot(&self) -> ChildProcess {
        fs::remove_dir_all(self.path("run")).unwrap();
        fs::create_dir(self.path("run")).unwrap();
        ChildProcess::launch(
            Command::new("bash")
                .arg(self.path("etc/start"))
                .env("GCE_METADATA_HOST", format!("127.0.0.1:{}", self.google.port())),
        )
    }

    /// Boots it and waits until it serves.
    fn serve(&self) -> ChildProcess {
        let running = self.boot();
        eventually("Redis is ready", SOON, || running.output().contains("Ready to accept"));
        running
    }

    /// A front with the settings that Terraform gives it.
    fn front(&self) -> Front {
        let (ca, password) = (self.path("published.pem"), self.path("password"));
        fs::write(&password, &*self.password.lock().unwrap()).unwrap();
        let store = format!("rediss://rl-module@127.0.0.1:{}", self.port);
        let environment = [
            ("RL_STORE", store.as_str()),
            ("RL_REDIS_VERIFY", "full"),
            ("RL_REDIS_CA", ca.to_str().unwrap()),
            ("RL_REDIS_PASSWORD_FILE", password.to_str().unwrap()),
            ("RL_DEADLINE_MS", "10000"),
        ];
        let front = Front::start_with_env(&environment, &[]);
        eventually("the front is ready", SOON, || front.get("/health/ready").status == 200);
        front
    }

    /// `redis-cli` on the VM, as this user.
    fn cli(&self, user: &str, password: &str, words: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        command.args(["--tls", "--cacert"]).arg(self.path("data/tls/ca.pem"));
        command.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "--no-auth-warning"]);
        if !user.is_empty() {
            command.args(["--user", user]).env("REDISCLI_AUTH", password);
        }
        let output = command.args(words).output().expect("redis-cli, which scripts/test installs");
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap().trim().to_owned()
    }

    /// Takes the new versions of the CA's secret, decoded.
    fn published(&self) -> Vec<String> {
        let added = self.google.take().into_iter().filter(|it| it.start_line.starts_with("POST "));
        added
            .map(|request| {
                let body: Value = serde_json::from_slice(&request.body).unwrap();
                decoded(body["payload"]["data"].as_str().unwrap())
            })
            .collect()
    }
}

/// The metadata server, and Secret Manager with the permissions of the VM's account.
fn google(request: &Message, password: &str) -> (u16, String) {
    const TOKEN: &str = "/computeMetadata/v1/instance/service-accounts/default/token";
    let target = request.start_line.trim_end_matches(" HTTP/1.1");
    let authorized = request.header("authorization") == "Bearer ya29.a-token";
    match target.split_once(' ').unwrap() {
        ("GET", TOKEN) if request.header("metadata-flavor") == "Google" => {
            (200, json!({"access_token": "ya29.a-token", "expires_in": 3599}).to_string())
        }
        ("GET", "/v1/projects/p/secrets/rl-vm-auth/versions/7:access") if authorized => {
            let payload = json!({"data": encoded(password), "dataCrc32c": "1"});
            let answer =
                json!({"name": "projects/1/secrets/rl-vm-auth/versions/7", "payload": payload});
            // StopOnDrop several lines, as Google sends it.
            (200, serde_json::to_string_pretty(&answer).unwrap())
        }
        ("POST", "/v1/projects/p/secrets/rl-vm-ca:addVersion") if authorized => {
            (200, json!({"name": "projects/1/secrets/rl-vm-ca/versions/1"}).to_string())
        }
        _ => (403, json!({"error": {"code": 403}}).to_string()),
    }
}

/// Runs a program with this input.
fn piped(program: &str, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn encoded(text: &str) -> String {
    String::from_utf8(piped("base64", &["-w", "0"], text).stdout).unwrap()
}

fn decoded(text: &str) -> String {
    String::from_utf8(piped("base64", &["-d"], text).stdout).unwrap()
}

/// The files as Terraform renders them, by path. Without Terraform they are rendered here; with it,
/// both must agree.
fn rendered(values: &BTreeMap<&str, String>) -> BTreeMap<String, String> {
    let files = [
        ("/etc/rl/redis.conf", "redis.conf"),
        ("/etc/rl/start", "start"),
        ("/etc/rl/host", "host"),
        ("/etc/systemd/system/rl-redis.service", "rl-redis.service"),
    ];
    let filled = files.map(|(path, name)| {
        let text = fs::read_to_string(Path::new(BOOT).join("files").join(name)).unwrap();
        // `$${` is a literal `${` for Terraform.
        let text = text.replace("$${", "\0");
        let text = values
            .iter()
            .fold(text, |text, (name, value)| text.replace(&format!("${{{name}}}"), value));
        (path.to_owned(), text.replace('\0', "${"))
    });
    let filled = BTreeMap::from(filled);
    if let Some(by_terraform) = by_terraform(values) {
        assert_eq!(by_terraform, filled);
    }
    filled
}

fn by_terraform(values: &BTreeMap<&str, String>) -> Option<BTreeMap<String, String>> {
    let is_path = |name: &&str| ["etc", "data", "run", "module"].contains(name);
    let (paths, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
        values.iter().partition(|(name, _)| is_path(name));
    let mut boot = json!({"source": BOOT, "paths": paths});
    others.iter().for_each(|(name, value)| boot[**name] = json!(value));
    let root = json!({
        "module": {"boot": boot},
        "output": {"user_data": {"value": "${module.boot.user_data}"}},
    });
    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("main.tf.json"), root.to_string()).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new("terraform");
        command.args(arguments).current_dir(folder.path()).env("TF_CLI_CONFIG_FILE", "/dev/null");
        let output = command.output().ok()?;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "terraform {arguments:?}: {stderr}");
        Some(String::from_utf8(output.stdout).unwrap())
    };
    run(&["init", "-input=false"])?;
    run(&["apply", "-input=false", "-auto-approve"])?;
    let user_data = run(&["output", "-raw", "user_data"])?;
    let config = user_data.strip_prefix("#cloud-config\n").expect("the first line of cloud-init");
    let config: Value = serde_json::from_str(config).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let files = config["write_files"].as_array().unwrap().iter();
    Some(files.map(|file| (text(&file["path"]), text(&file["content"]))).collect())
}

#[test]
fn only_fronts_and_operators_are_served_and_only_over_tls() {
    let vm = Vm::new();
    let redis = vm.serve();
    // The authority's certificate is published; keys and passwords are for the server only.
    let published = vm.published();
    assert_eq!(published, [fs::read_to_string(vm.path("data/tls/ca.pem")).unwrap()]);
    fs::write(vm.path("published.pem"), &published[0]).unwrap();
    for file in ["data/tls/ca.key", "data/tls/server.key", "run/users.acl", "run/operator"] {
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &vm.path(file).metadata().unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }

    let front = vm.front();
    assert_eq!(front.get("/health/ready").body["engine"], json!("module"));
    let check = r#"{"key":"story","policy":"default"}"#;
    let left = front.check(check)["remaining"].as_u64().unwrap();
    assert!(front.check(check)["remaining"].as_u64().unwrap() <= left);
    let drain = front.check(&format!(r#"{{"key":"story","cost":{left}}}"#));
    assert!(drain.get("degraded").is_none_or(|it| it == &json!(false)), "{drain}");

    // No access without the password or TLS; the health check relies on the first.
    assert_eq!(vm.cli("", "", &["PING"]), "NOAUTH Authentication required.");
    assert!(vm.cli("rl-module", "guess", &["PING"]).contains("WRONGPASS"));
    assert!(BALANCER.contains(r#"request  = "PING\r\n""#));
    assert!(BALANCER.contains(r#"response = "-NOAUTH""#));
    let address = format!("127.0.0.1:{}", vm.port);
    let handshake = ["s_client", "-quiet", "-connect", &address];
    let reply = piped("openssl", &handshake, "PING\r\nQUIT\r\n").stdout;
    assert!(reply.starts_with(b"-NOAUTH"), "{}", String::from_utf8_lossy(&reply));
    for (scheme, reason) in [("redis", ""), ("rediss", "UnknownIssuer")] {
        let store = format!("{scheme}://rl-module:guess@{address}");
        let limit = ["--capacity", "9", "--rate", "1/d"];
        let output = Front::run(&[&["check", "k", "--store", &store][..], &limit].concat());
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && stderr.contains(reason), "{scheme}: {stderr}");
    }

    // Fronts have the permissions of docs/security.md, and operators all.
    let word = |line: &str| {
        line.split(' ').filter(|it| !it.starts_with(['>', '#'])).map(str::to_owned).collect()
    };
    let page = SECURITY.lines().find_map(|line| line.strip_prefix("ACL SETUSER rl-module "));
    let users = fs::read_to_string(vm.path("run/users.acl")).unwrap();
    let user = users.lines().find_map(|line| line.strip_prefix("user rl-module "));
    let (page, user): (Vec<String>, Vec<String>) = (word(page.unwrap()), word(user.unwrap()));
    assert_eq!(page, user);
    assert!(vm.cli("rl-module", PASSWORD, &["FLUSHALL"]).contains("NOPERM"));
    let operator = fs::read_to_string(vm.path("run/operator")).unwrap();
    let operate = |words: &[&str]| vm.cli("operator", operator.trim(), words);
    assert_eq!(operate(&["EXISTS", "rl:{story}:default"]), "1");
    assert!(operate(&["MODULE", "LIST"]).contains("\nrl\n"));
    for (directive, value) in
        [("appendonly", "yes"), ("port", "0"), ("maxmemory-policy", "volatile-ttl")]
    {
        assert_eq!(operate(&["CONFIG", "GET", directive]), format!("{directive}\n{value}"));
    }
    let log = redis.output();
    assert!(!log.contains(PASSWORD) && !log.contains(operator.trim()), "{log}");
    assert!(!log.contains("ya29"), "{log}");
}

#[test]
fn a_new_machine_keeps_the_buckets_and_the_authority() {
    let vm = Vm::new();
    let mut redis = vm.serve();
    fs::write(vm.path("published.pem"), &vm.published()[0]).unwrap();
    let certificate = fs::read(vm.path("data/tls/server.pem")).unwrap();
    let front = vm.front();
    let check = r#"{"key":"story","capacity":100,"rate":"1/d"}"#;
    assert_eq!(front.check(check)["remaining"], 99);
    redis.signal("TERM");
    assert!(redis.wait(SOON).success());

    // The password has changed, for the front too: it finds the bucket.
    "another".clone_into(&mut vm.password.lock().unwrap());
    let _redis = vm.serve();
    assert!(vm.published().is_empty(), "a new authority was published");
    assert_ne!(fs::read(vm.path("data/tls/server.pem")).unwrap(), certificate);
    fs::write(vm.path("password"), "another").unwrap();
    eventually("Redis decides again", SOON, || front.check(check)["degraded"] != json!(true));
    let left = front.check(check)["remaining"].as_u64().unwrap();
    assert!((90..99).contains(&left), "{left}");
}

#[test]
fn without_a_password_it_does_not_start() {
    let vm = Vm::new();
    vm.password.lock().unwrap().clear();
    let mut redis = vm.boot();
    assert!(!redis.wait(SOON).success());
    assert!(
        redis.output().contains("secret projects/p/secrets/rl-vm-auth/versions/7 is empty"),
        "{}",
        redis.output()
    );
}

#[test]
fn scripts_and_service_of_the_host_are_well_formed() {
    let vm = Vm::new();
    let files = rendered(&vm.values());
    let service = &files["/etc/systemd/system/rl-redis.service"];
    for script in ["start", "host"] {
        let output = piped("bash", &["-n"], &files[&format!("/etc/rl/{script}")]);
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        // The service runs the script.
        assert!(service.contains(&format!("/{script}\n")), "{service}");
    }
    assert!(!service.contains("${"), "{service}");
    for word in
        ["--read-only", "--cap-drop ALL", "--user 6379:6379", "--network host", "no-new-privileges"]
    {
        assert!(service.contains(word), "{word}");
    }
}
