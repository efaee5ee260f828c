//! The benchmarks of the bucket itself, in process: `bucket/benches`.

use std::process::Command;

use crate::bench::Bench;
use crate::sample::Sample;

/// A step and, in turn, a read of the clock.
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
    let said = String::from_utf8_lossy(&output.stdout);
    let figure = said.lines().filter_map(figure).find(|(it, _)| *it == name);
    let (_, nanoseconds) = figure.unwrap_or_else(|| panic!("cargo bench {name}: {output:?}"));
    Sample::of(nanoseconds, "ns")
}

/// Of `test NAME ... bench:  1,234 ns/iter (+/- 5)`.
fn figure(line: &str) -> Option<(&str, f64)> {
    let (name, rest) = line.strip_prefix("test ")?.split_once(" ... bench:")?;
    let (number, _) = rest.split_once("ns/iter")?;
    Some((name.trim(), number.trim().replace(',', "").parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::figure;

    #[test]
    fn lines_of_bencher() {
        let line = "test step_allowed       ... bench:       1,024 ns/iter (+/- 3)";
        assert_eq!(figure(line), Some(("step_allowed", 1024.0)));
        assert_eq!(figure("running 7 tests"), None);
        assert_eq!(figure("test result: ok. 0 passed; 7 measured"), None);
    }
}
