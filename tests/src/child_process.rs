//! A command that runs in the background of a test.

use std::process::{Command, ExitStatus};
use std::time::Duration;

use tempfile::TempDir;

use crate::artefacts::server_path;
use crate::process::{Process, eventually};

/// A running command, such as `rl-server` with a subcommand; killed when dropped.
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
        let process =
            Process::start(command, folder.path().join("log")).expect("the command to start");
        Self { process, _folder: folder }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The output so far, stdout and stderr together.
    pub fn output(&self) -> String {
        self.process.log()
    }

    /// Waits until the output contains this text.
    #[track_caller]
    pub fn wait_for_output(&self, text: &str) {
        let what = format!("the output contains {text:?}");
        eventually(&what, Duration::from_secs(20), || self.output().contains(text));
    }

    /// Sends the process a signal, such as `INT`.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Waits for the process to exit by itself.
    #[track_caller]
    pub fn wait(&mut self, timeout: Duration) -> ExitStatus {
        self.process.wait(timeout)
    }
}
