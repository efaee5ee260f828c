//! A description of the machine and the software of a run.

use std::env;
use std::fs;
use std::process::Command;

/// One fact per line: processor, kernel, versions, revision, command line.
pub(crate) fn describe() -> String {
    let model = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let arguments: Vec<_> = env::args().skip(1).map(|it| file_name(&it).to_owned()).collect();
    let facts = [
        ("processor", model.map_or_else(String::new, |(_, model)| model.to_owned())),
        ("cores", cores.to_string()),
        ("kernel", first_line("uname", &["-sr"])),
        ("load before", fs::read_to_string("/proc/loadavg").unwrap_or_default().trim().to_owned()),
        ("redis", first_line("redis-server", &["--version"])),
        ("wrk", first_line("wrk", &["-v"])),
        ("valgrind", first_line("valgrind", &["--version"])),
        ("rustc", first_line("rustc", &["--version"])),
        ("revision", first_line("git", &["describe", "--always", "--dirty", "--abbrev=12"])),
        ("date", first_line("date", &["-u", "+%F %R UTC"])),
        ("command", format!("scripts/bench {}", arguments.join(" ")).trim_end().to_owned()),
    ];
    facts.iter().map(|(name, fact)| format!("{name}: {fact}\n")).collect()
}

/// The file name of a path. The folders of the machine are not published.
fn file_name(argument: &str) -> &str {
    argument.rsplit_once('/').map_or(argument, |(_, name)| name)
}

/// The first line that a program prints; empty if the program is missing.
pub(crate) fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.unwrap_or_default().lines().next().unwrap_or_default().to_owned()
}
