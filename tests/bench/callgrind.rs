//! Instructions, counted by valgrind: the same in every run, however busy the machine.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

/// Counts what one process does.
pub(crate) struct Callgrind {
    folder: TempDir,
    dumps: u32,
}

/// Has the C library move and clear memory by vector instructions: valgrind counts a `rep stosb`, which is one
/// instruction, once for every byte.
const BY_VECTORS: &str = "GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=1000000000:\
                          glibc.cpu.x86_rep_stosb_threshold=1000000000";

// === impl Callgrind ===

impl Callgrind {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().expect("a temporary folder"), dumps: 0 }
    }

    fn file(&self) -> String {
        self.folder.path().join("out").display().to_string()
    }

    /// What to start the process under.
    pub(crate) fn words(&self) -> [String; 6] {
        let file = format!("--callgrind-out-file={}", self.file());
        let words = ["env", BY_VECTORS, "valgrind", "--tool=callgrind", "--quiet", &file];
        words.map(str::to_owned)
    }

    /// The instructions in user space that the process takes while `work` goes on.
    pub(crate) fn count(&mut self, pid: u32, work: impl FnOnce()) -> u64 {
        control("--zero", pid);
        work();
        control("--dump", pid);
        self.dumps += 1;
        let dump = fs::read_to_string(format!("{}.{}", self.file(), self.dumps));
        total(&dump.expect("a dump")).expect("a total")
    }
}

/// The instructions of a whole run of this command.
pub(crate) fn count_run(command: &[&str]) -> u64 {
    let mut callgrind = Callgrind::new();
    let [program, rest @ ..] = callgrind.words();
    let status = Command::new(program).args(rest).args(command).status();
    assert!(status.expect("valgrind: run scripts/bench").success(), "{command:?}");
    callgrind.dumps += 1;
    let dump = fs::read_to_string(callgrind.file()).expect("a dump");
    total(&dump).expect("a total")
}

fn control(what: &str, pid: u32) {
    let output = Command::new("callgrind_control").args([what, &pid.to_string()]).output();
    let output = output.expect("callgrind_control: run scripts/bench");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("OK."), "callgrind_control {what}: {output:?}");
}

/// The line `summary: N` of a dump.
fn total(dump: &str) -> Option<u64> {
    dump.lines().find_map(|line| line.strip_prefix("summary: ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::total;

    #[test]
    fn a_dump() {
        let dump = "version: 1\nevents: Ir\nsummary: 181554\n\nfn=(1)\n0 5\n\ntotals: 206294\n";
        assert_eq!(total(dump), Some(181_554));
        assert_eq!(total(""), None);
    }
}
