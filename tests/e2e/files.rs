//! Files that never end, hang or are no files: the front goes on, says so, and ends in time.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rl_tests::{Front, eventually, skip};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const SOON: Duration = Duration::from_secs(20);
const LIVE: &str = "[policies.default]\ncapacity = 3\nrate = 1\n";
const NEW: &str = "[policies.default]\ncapacity = 4\nrate = 1\n";

/// A front with a token file, reached through a link, and a policy file.
struct Watched {
    folder: TempDir,
    front: Front,
}

// === impl Watched ===

impl Watched {
    fn start() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let path = |name: &str| folder.path().join(name);
        let hash: String =
            Sha256::digest("t0ken").iter().map(|byte| format!("{byte:02x}")).collect();
        let entry = format!("[[tokens]]\nname = \"a\"\nsha256 = \"{hash}\"\nrole = \"check\"\n");
        fs::write(path("good.toml"), entry).expect("to write the tokens");
        fs::write(path("policies.toml"), LIVE).expect("to write the policies");
        symlink(path("good.toml"), path("tokens.toml")).expect("a link");
        let [tokens, policies] =
            ["tokens.toml", "policies.toml"].map(|it| path(it).display().to_string());
        let front = Front::start(&["--tokens", &tokens, "--config", &policies]);
        Self { folder, front }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes the link of the token file lead to `target`, at once.
    fn link(&self, target: &Path) {
        symlink(target, self.path("new")).expect("a link");
        fs::rename(self.path("new"), self.path("tokens.toml")).expect("to replace the link");
    }

    fn is_good(&self, file: &str) -> bool {
        let series = format!("rl_config_last_reload_successful{{file=\"{file}\"}}");
        rl_tests::Scrape::parse(&self.front.text("/metrics")).value(&series) > 0.0
    }

    /// Asserts that the token file in place is refused for `reason`, that everything else goes on,
    /// and that the front ends in time.
    #[track_caller]
    fn refuses(mut self, reason: &str) {
        eventually("the tokens are refused", SOON, || !self.is_good("tokens"));
        let log = self.front.log();
        assert!(log.contains("tokens refused: ") && log.contains(reason), "{log}");
        let check = || {
            let bearer = [("Authorization", "Bearer t0ken")];
            self.front.request("POST", "/check", &bearer, r#"{"key":"k"}"#)
        };
        assert_eq!(check().status, 200, "the old tokens stay");
        fs::write(self.path("policies.toml"), NEW).expect("to write the policies");
        eventually("policies are reloaded", SOON, || check().body["limit"] == 4);
        assert!(self.front.resident() < 200, "{} MiB", self.front.resident());
        self.front.signal("TERM");
        let started = Instant::now();
        assert!(self.front.wait(Duration::from_secs(8)).success());
        assert!(started.elapsed() < Duration::from_secs(8));
    }
}

#[test]
fn a_device_is_no_file() {
    let watched = Watched::start();
    watched.link(Path::new("/dev/zero"));
    watched.refuses("it must be a regular file");
}

#[test]
fn a_pipe_is_no_file() {
    let watched = Watched::start();
    let pipe = watched.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    watched.link(&pipe);
    watched.refuses("it must be a regular file");
}

#[test]
fn a_file_above_the_limit_is_refused() {
    let watched = Watched::start();
    let file = fs::File::create(watched.path("large")).expect("a file");
    file.set_len(1 << 40).expect("a file of a tebibyte, all of it a hole");
    watched.link(&watched.path("large"));
    watched.refuses("the file must be at most 16 MiB");
}

/// Another process holds a lease on the file, so that opening it hangs, as on a mount whose server
/// is away.
#[test]
fn a_file_that_hangs_is_given_up() {
    let watched = Watched::start();
    let hung = watched.path("hung");
    fs::write(&hung, "").expect("to write a file");
    let Some(mut holder) = lease(&hung) else { skip!("this file system has no leases") };
    watched.link(&hung);
    watched.refuses("not read within 3 s: its disk or mount hangs");
    let _ = holder.kill();
    let _ = holder.wait();
}

/// A process that holds a write lease on `file` and does not give it up when it is told to.
fn lease(file: &Path) -> Option<Child> {
    const PROGRAM: &str = r#"
        $SIG{IO} = "IGNORE"; open F, "+<", $ARGV[0] or die;
        fcntl(F, 1024, 1) or exit 1; open D, ">", "$ARGV[0].held"; sleep 600"#;
    let mut command = Command::new("perl");
    command.args(["-e", PROGRAM]).arg(file).stdin(Stdio::null());
    let mut holder = command.spawn().ok()?;
    let held = PathBuf::from(format!("{}.held", file.display()));
    eventually("the lease is held, or there are none", SOON, || {
        held.exists() || holder.try_wait().expect("a state").is_some()
    });
    held.exists().then_some(holder)
}
