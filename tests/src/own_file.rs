//! A file that one program sees in place of another, such as an `/etc/hosts` of its own.

use std::path::Path;
use std::process::Command;

/// A program that sees `file` at `place`. No other program does.
pub fn with_file(file: &Path, place: &str, program: &str) -> Command {
    let mut command = Command::new("unshare");
    let mount = format!(r#"mount --bind "$0" {place} && exec "$@""#);
    command.args(["--mount", "sh", "-c", &mount]).arg(file).arg(program);
    command
}

/// Whether processes here may have files of their own, see unshare(1).
pub fn may_have_own_files() -> bool {
    let hosts = Path::new("/etc/hosts");
    with_file(hosts, "/etc/hosts", "true").status().is_ok_and(|status| status.success())
}
