//! Paths of the built artefacts under test.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

/// The release build's folder, beside the folder of the running program's profile.
fn release() -> &'static Path {
    static RELEASE: OnceLock<PathBuf> = OnceLock::new();
    RELEASE.get_or_init(|| {
        let program = env::current_exe().expect("the path of this program");
        // target/PROFILE/deps/e2e-HASH, target/PROFILE/examples/NAME, or target/PROFILE/rl-bench
        let is_inner = |path: &Path| path.ends_with("deps") || path.ends_with("examples");
        let folder = program.ancestors().find(|it| !it.is_file() && !is_inner(it));
        folder.and_then(Path::parent).expect("a target folder").join("release")
    })
}

fn built(name: &str) -> PathBuf {
    let path = release().join(name);
    assert_built(&path);
    path
}

fn assert_built(path: &Path) {
    assert!(path.exists(), "{} is missing: run scripts/test", path.display());
}

/// The path of `librl.so`.
pub fn module_path() -> PathBuf {
    built("librl.so")
}

/// The path of the `librl.so` with `RL.PANIC`, which scripts/test builds separately.
pub fn panicking_module_path() -> PathBuf {
    let target = release().parent().expect("the target folder");
    let path = target.join("panic/release/librl.so");
    assert_built(&path);
    path
}

/// The path of `rl-server`.
pub fn server_path() -> PathBuf {
    built("rl-server")
}

/// The path of an example of the store library, in this program's own profile: `cargo test` of the
/// workspace builds them.
pub fn example_path(name: &str) -> PathBuf {
    let program = env::current_exe().expect("the path of this program");
    let deps = program.parent().expect("a folder");
    let path = deps.parent().expect("a folder").join("examples").join(name);
    assert_built(&path);
    path
}

/// The path of the clock shim, which is compiled once per test process.
pub(crate) fn skew_path() -> PathBuf {
    static BUILT: OnceLock<TempDir> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let folder = TempDir::new().expect("a temporary folder");
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-o"])
            .arg(folder.path().join("skew.so"))
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/skew.c"))
            .arg("-ldl")
            .status()
            .expect("a C compiler");
        assert!(status.success(), "skew.c does not compile");
        folder
    });
    folder.path().join("skew.so")
}
