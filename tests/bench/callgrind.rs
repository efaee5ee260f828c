//! Instruction counts from valgrind, which are the same in every run, however busy the machine is.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

/// Counts the instructions of one process.
pub(crate) struct Callgrind {
    folder: TempDir,
    dumps: u32,
}

/// Makes the C library copy and clear memory with vector instructions: valgrind counts a
/// `rep stosb`, which is one instruction, once for every byte.
const VECTOR_TUNABLES: &str = "GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=1000000000:\
                          glibc.cpu.x86_rep_stosb_threshold=1000000000";

// === impl Callgrind ===

impl Callgrind {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().expect("a temporary folder"), dumps: 0 }
    }

    fn file(&self) -> String {
        self.folder.path().join("out").display().to_string()
    }

    /// The command that the process must be started under.
    pub(crate) fn command_prefix(&self) -> [String; 6] {
        let file = format!("--callgrind-out-file={}", self.file());
        let words = ["env", VECTOR_TUNABLES, "valgrind", "--tool=callgrind", "--quiet", &file];
        words.map(str::to_owned)
    }

    /// The instructions that the process executes in user space while `work` runs.
    pub(crate) fn count(&mut self, pid: u32, work: impl FnOnce()) -> u64 {
        control("--zero", pid);
        work();
        control("--dump", pid);
        self.dumps += 1;
        let dump = fs::read_to_string(format!("{}.{}", self.file(), self.dumps));
        total(&dump.expect("a dump")).expect("a total")
    }
}

/// The instructions of a complete run of this command.
pub(crate) fn count_run(command: &[&str]) -> u64 {
    let mut callgrind = Callgrind::new();
    let [program, rest @ ..] = callgrind.command_prefix();
    let status = Command::new(program).args(rest).args(command).status();
    assert!(status.expect("valgrind: run scripts/bench").success(), "{command:?}");
    callgrind.dumps += 1;
    let dump = fs::read_to_string(callgrind.file()).expect("a dump");
    total(&dump).expect("a total")
}

fn control(option: &str, pid: u32) {
    let output = Command::new("callgrind_control").args([option, &pid.to_string()]).output();
    let output = output.expect("callgrind_control: run scripts/bench");
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert!(stdout.contains("OK."), "callgrind_control {option}: {output:?}");
}

/// The total of a dump, from its line `summary: N`.
fn total(dump: &str) -> Option<u64> {
    dump.lines().find_map(|line| line.strip_prefix("summary: ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::total;

    #[test]
    fn the_total_of_a_dump_is_read() {
        let dump = "version: 1\nevents: Ir\nsummary: 181554\n\nfn=(1)\n0 5\n\ntotals: 206294\n";
        assert_eq!(total(dump), Some(181_554));
        assert_eq!(total(""), None);
    }
}
