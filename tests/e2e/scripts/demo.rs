//! `scripts/demo`: its numbers are true, and it leaves nothing behind, however it ends.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rl_tests::{ChildProcess, eventually, server_path};
use tempfile::TempDir;

use super::{processes, run, script};

const SOON: Duration = Duration::from_secs(60);

/// A running demo, and its temporary folder.
struct Demo {
    running: ChildProcess,
    folder: TempDir,
}

/// The rows of the table, and the totals: for each caller, the checks that fronts 1 and 2 allowed,
/// and the most that the limit allows.
struct Table {
    rows: Vec<Vec<u64>>,
    totals: Vec<(u64, u64, f64)>,
}

// === impl Demo ===

impl Demo {
    fn command(folder: &Path, arguments: &[&str]) -> Command {
        let target = server_path().ancestors().nth(2).expect("target/release/rl-server").to_owned();
        // Signals that the tests were started to ignore, as by nohup, a shell could not trap.
        let mut command = Command::new("env");
        command.arg("--default-signal=HUP,INT").arg(script("demo")).args(arguments);
        command.env("TMPDIR", folder).env("CARGO_TARGET_DIR", target);
        command
    }

    /// Starts it, and waits until it shows its first row.
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let running = ChildProcess::launch(&mut Self::command(folder.path(), &[]));
        eventually("a row", SOON, || running.output().contains("\n   1 s "));
        Self { running, folder }
    }

    /// Waits until it has started Redis, two fronts, nginx and three callers, and returns these.
    fn children(&self) -> Vec<(u32, String)> {
        let mut children = Vec::new();
        eventually("its processes", SOON, || {
            let all = processes().into_iter();
            let own = all.filter(|(_, parent, _)| *parent == self.running.pid());
            children = own.map(|(id, _, command)| (id, command)).collect();
            // Besides, it runs sleep and awk.
            children.retain(|(_, command)| {
                !command.starts_with("sleep") && !command.starts_with("awk")
            });
            children.len() == 7
        });
        children
    }

    /// Ends it with `how`, and asserts that nothing of it is left: its exit code and output.
    fn end(mut self, how: impl FnOnce(&ChildProcess, &[(u32, String)])) -> (Option<i32>, String) {
        let children = self.children();
        let ports = ports(&self.running.output());
        assert_eq!(ports.len(), 4, "{}", self.running.output());
        assert_eq!(fs::read_dir(self.folder.path()).unwrap().count(), 1);
        how(&self.running, &children);
        let status = self.running.wait(SOON);
        let left = processes();
        let left = left.iter().filter(|(id, ..)| children.iter().any(|(child, _)| child == id));
        assert_eq!(left.collect::<Vec<_>>(), Vec::<&(u32, u32, String)>::new());
        assert_eq!(fs::read_dir(self.folder.path()).unwrap().count(), 0);
        for port in ports {
            assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err(), "port {port}");
        }
        (status.code(), self.running.output())
    }
}

/// The ports of its servers: Redis, two fronts, nginx.
fn ports(output: &str) -> Vec<u16> {
    let lines = output.lines().take(3).flat_map(|line| line.split("127.0.0.1:").skip(1));
    lines.map(|rest| rest.trim_end_matches(", http://").parse().expect("a port")).collect()
}

/// Reads its output, and checks it against itself and the limits.
#[track_caller]
fn read_table(output: &str) -> Table {
    let numbers = |line: &str| -> Vec<u64> {
        line.split_whitespace().filter_map(|word| word.parse().ok()).collect()
    };
    let rows = output.lines().filter(|line| line.get(4..7) == Some(" s "));
    let rows: Vec<_> = rows.map(|line| numbers(&line[7..])).collect();
    assert!(rows.iter().all(|row| row.len() == 12), "{output}");
    let totals = ["alice", "bob", "jobs"].map(|name| {
        let start = format!("{name:<6} ");
        let line = output
            .lines()
            .find(|line| line.starts_with(&start) && line.contains(" one limit admits "));
        let line = line.unwrap_or_else(|| panic!("no total of {name}: {output}"));
        let after = |text: &str| {
            let (_, rest) = line.split_once(text).expect("a part of the line");
            rest.split([',', ' ']).next().expect("a number").parse::<f64>().expect("a number")
        };
        let (one, two, both) = (after("front 1: "), after("front 2: "), after("both: "));
        assert_eq!(one + two, both, "{line}");
        assert!(both <= after("one limit admits ") + 0.1, "{line}");
        (one as u64, two as u64, after("one limit admits "))
    });
    assert!(
        output.ends_with("Two fronts together admitted no more than one limit admits.\n"),
        "{output}"
    );
    Table { rows, totals: totals.to_vec() }
}

#[test]
fn shows_numbers_that_obey_the_limits() {
    let folder = TempDir::new().unwrap();
    let (code, output) = run(&mut Demo::command(folder.path(), &["--seconds", "4"]));
    assert_eq!(code, 0, "{output}");
    assert!(!output.contains("not answered") && !output.contains("without Redis"), "{output}");
    let Table { rows, totals } = read_table(&output);
    assert_eq!(rows.len(), 4, "{output}");
    for (caller, (one, two, _)) in totals.into_iter().enumerate() {
        let column = |column: usize| rows.iter().map(|row| row[4 * caller + column]).sum::<u64>();
        // Rows add up to the totals, but for a few checks after the last row.
        for (column, total) in [(column(0), one), (column(2), two)] {
            assert!(column > 0 && column <= total && total - column <= 20, "{output}");
        }
        assert!(column(1) + column(3) > 0, "each caller is denied at times: {output}");
        if caller == 1 {
            assert_eq!(one + two, 20, "bob asks for more than his 20 a day: {output}");
        }
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn an_interrupt_ends_all_of_it_after_the_sum() {
    let demo = Demo::start();
    let (code, output) = demo.end(|demo, _| demo.signal("INT"));
    assert_eq!(code, Some(0), "{output}");
    read_table(&output);
}

#[test]
fn a_closed_terminal_and_a_term_signal_end_all_of_it() {
    for (signal, expected) in [("HUP", 129), ("TERM", 143)] {
        let demo = Demo::start();
        let (code, output) = demo.end(|demo, _| demo.signal(signal));
        assert_eq!(code, Some(expected), "{output}");
    }
}

#[test]
fn a_server_that_dies_ends_all_of_it() {
    let demo = Demo::start();
    let (code, output) = demo.end(|_, children| {
        let (nginx, _) = children.iter().find(|(_, it)| it.contains("nginx ")).expect("nginx");
        assert!(
            Command::new("kill").args(["-KILL", &nginx.to_string()]).status().unwrap().success()
        );
    });
    assert_eq!(code, Some(1), "{output}");
    assert!(output.contains("demo: nginx has exited\n"), "{output}");
}

#[test]
fn a_port_that_is_taken_is_reported() {
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let folder = TempDir::new().unwrap();
    let (code, output) = run(&mut Demo::command(folder.path(), &["--port", &port]));
    assert_eq!(code, 1, "{output}");
    assert_eq!(
        output,
        format!(
            "demo: port {port} is in use: choose another, or leave out --port for a free one\n"
        )
    );
    for arguments in [&["--port", "65536"][..], &["--seconds", "x"], &["--port"]] {
        let (code, output) = run(&mut Demo::command(folder.path(), arguments));
        assert_eq!(
            (code, output.contains(" takes a number")),
            (1, true),
            "{arguments:?}: {output}"
        );
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}
