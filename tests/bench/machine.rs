//! What a run ran on.

use std::env;
use std::fs;
use std::process::Command;

/// One fact a line: processor, kernel, versions, revision, command line.
pub(crate) fn describe() -> String {
    let model = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let words: Vec<_> = env::args().skip(1).map(|word| name(&word).to_owned()).collect();
    let facts = [
        ("processor", model.map_or_else(String::new, |(_, model)| model.to_owned())),
        ("cores", cores.to_string()),
        ("kernel", said("uname", &["-sr"])),
        ("load before", fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned()),
        ("redis", said("redis-server", &["--version"])),
        ("wrk", said("wrk", &["-v"])),
        ("valgrind", said("valgrind", &["--version"])),
        ("rustc", said("rustc", &["--version"])),
        ("revision", said("git", &["describe", "--always", "--dirty", "--abbrev=12"])),
        ("date", said("date", &["-u", "+%F %R UTC"])),
        ("command", format!("scripts/bench {}", words.join(" ")).trim_end().to_owned()),
    ];
    facts.iter().map(|(name, fact)| format!("{name}: {fact}\n")).collect()
}

/// Of a path, the file's name: where it lies is nobody's business.
fn name(word: &str) -> &str {
    word.rsplit_once('/').map_or(word, |(_, name)| name)
}

/// The first line that a program prints; nothing if it is not there.
pub(crate) fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.unwrap_or_default().lines().next().unwrap_or_default().to_owned()
}
