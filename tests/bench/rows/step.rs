//! The in-process benchmarks of the bucket, from `bucket/benches`.

use std::process::Command;

use crate::bench::Bench;
use crate::sample::Sample;

/// Compares a bucket step with a clock read.
pub(crate) fn run(bench: &mut Bench, row: &str) {
    let mut clock = || measure("clock_read");
    let mut step = || measure("step_allowed");
    bench.compare(row, &mut clock, &mut step);
}

fn measure(name: &str) -> Sample {
    let output = Command::new("cargo")
        .args(["bench", "--quiet", "--locked", "-p", "rl-bucket", "--bench", "bucket", name])
        .output()
        .expect("cargo");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let result = stdout.lines().filter_map(parse).find(|(it, _)| *it == name);
    let (_, nanoseconds) = result.unwrap_or_else(|| panic!("cargo bench {name}: {output:?}"));
    Sample::of(nanoseconds, "ns")
}

/// Name and time of a line `test NAME ... bench:  1,234 ns/iter (+/- 5)`.
fn parse(line: &str) -> Option<(&str, f64)> {
    let (name, rest) = line.strip_prefix("test ")?.split_once(" ... bench:")?;
    let (number, _) = rest.split_once("ns/iter")?;
    Some((name.trim(), number.trim().replace(',', "").parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn lines_of_bencher_are_parsed() {
        let line = "test step_allowed       ... bench:       1,024 ns/iter (+/- 3)";
        assert_eq!(parse(line), Some(("step_allowed", 1024.0)));
        assert_eq!(parse("running 7 tests"), None);
        assert_eq!(parse("test result: ok. 0 passed; 7 measured"), None);
    }
}
