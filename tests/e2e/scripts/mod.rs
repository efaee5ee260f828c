//! `scripts/demo`, `scripts/deploy`, `scripts/need` and `scripts/smoke`, as their users run them.

mod demo;
mod deploy;
mod need;
mod site;
mod smoke;

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// A script of the repository.
fn script(name: &str) -> PathBuf {
    PathBuf::from(ROOT).join("scripts").join(name)
}

/// Runs a command. Returns its exit code (128 if a signal ended it), and its stdout followed by its
/// stderr.
fn run(command: &mut Command) -> (i32, String) {
    let Output { status, stdout, stderr } = command.output().expect("it to start");
    (status.code().unwrap_or(128), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

/// The path of a program.
fn program(name: &str) -> PathBuf {
    let folders = env::var_os("PATH").expect("a path");
    let found = env::split_paths(&folders).map(|it| it.join(name)).find(|it| it.is_file());
    found.unwrap_or_else(|| panic!("no {name}"))
}

/// All processes: the id of each, that of its parent, and its command line.
fn processes() -> Vec<(u32, u32, String)> {
    let numbers = fs::read_dir("/proc").expect("/proc").flatten();
    let ids = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter_map(|id| {
        let read = |name: &str| fs::read(format!("/proc/{id}/{name}")).ok();
        // State and parent come after the name, which may contain anything.
        let stat = String::from_utf8_lossy(&read("stat")?).into_owned();
        let mut rest = stat.rsplit_once(") ")?.1.split(' ');
        let (state, parent) = (rest.next()?, rest.next()?.parse().ok()?);
        let command = String::from_utf8_lossy(&read("cmdline")?).replace('\0', " ");
        (state != "Z").then_some((id, parent, command))
    })
    .collect()
}
