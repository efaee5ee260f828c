//! The CPU time of processes.

use std::fs;
use std::time::Duration;

/// The user and system time of these processes together, in steps of 10 ms (`man 5 proc_pid_stat`;
/// Linux has always reported hundredths of a second).
pub(crate) fn cpu_time(pids: &[u32]) -> Duration {
    let ticks = pids.iter().map(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("a running server");
        ticks(&stat).expect("utime and stime")
    });
    Duration::from_millis(10 * ticks.sum::<u64>())
}

/// The sum of `utime` and `stime`. The process name before them is in parentheses and may contain
/// anything.
fn ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    Some(next()? + next()?)
}

#[cfg(test)]
mod tests {
    use super::ticks;

    #[test]
    fn fields_after_a_strange_name_are_found() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 157 0 3 0 20 22 5 6 20 0 1 0 99";
        assert_eq!(ticks(stat), Some(42));
    }
}
