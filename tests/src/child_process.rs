//! A command that takes its time.

use std::process::{Command, ExitStatus};
use std::time::Duration;

use tempfile::TempDir;

use crate::artefacts::server_path;
use crate::process::{Process, eventually};

/// A command while it runs, such as `rl-server` with a subcommand; killed when dropped.
pub struct ChildProcess {
    process: Process,
    _folder: TempDir,
}

// === impl ChildProcess ===

impl ChildProcess {
    /// Starts `rl-server` with these arguments.
    pub fn start(arguments: &[&str]) -> Self {
        Self::launch(Command::new(server_path()).args(arguments))
    }

    /// Starts any command.
    pub fn launch(command: &mut Command) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let process = Process::start(command, folder.path().join("log")).expect("it to start");
        Self { process, _folder: folder }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What it has said so far, on stdout and stderr.
    pub fn output(&self) -> String {
        self.process.log()
    }

    /// Waits until it has said this.
    #[track_caller]
    pub fn wait_for_output(&self, text: &str) {
        let what = format!("it says {text:?}");
        eventually(&what, Duration::from_secs(20), || self.output().contains(text));
    }

    /// Sends it a signal, such as `INT`.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Waits for it to end by itself.
    #[track_caller]
    pub fn wait(&mut self, within: Duration) -> ExitStatus {
        self.process.wait(within)
    }
}
