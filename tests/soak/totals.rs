//! What all episodes came to.

use std::fmt;
use std::time::Duration;

use crate::account::Account;
use crate::deed::Deed;
use crate::episode::Told;

/// Of one stage.
pub(crate) struct Totals {
    name: &'static str,
    all: Vec<Account>,
    /// What was done last.
    deed: Option<Deed>,
    /// And whether a promise was not kept then.
    pub(crate) failed: bool,
}

// === impl Totals ===

impl Totals {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, all: Vec::new(), deed: None, failed: false }
    }

    pub(crate) fn begin(&mut self, deed: Deed) {
        self.deed = Some(deed);
    }

    pub(crate) fn add(&mut self, told: Told) {
        self.all.push(told.account);
    }
}

impl fmt::Display for Totals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sum = |of: fn(&Account) -> u64| self.all.iter().map(of).sum::<u64>();
        let most = |of: fn(&Account) -> Duration| {
            self.all.iter().map(of).max().unwrap_or_default().as_millis()
        };
        let mut recoveries: Vec<_> = self.all.iter().map(|it| it.recovery).collect();
        recoveries.sort_unstable();
        let median = recoveries.get(recoveries.len() / 2).map_or(0, Duration::as_millis);
        let takeovers = self.all.iter().filter(|it| it.taken_over).count();
        writeln!(f, "{}: {} episodes, {takeovers} with a takeover", self.name, self.all.len())?;
        let (asked, without) = (sum(|it| it.asked as u64), sum(|it| it.without as u64));
        let unanswered = sum(|it| it.unanswered as u64);
        writeln!(
            f,
            "  checks: {asked}, without Redis {without}, of a front that was killed {unanswered}"
        )?;
        let (admitted, unknown) = (sum(|it| it.admitted), sum(|it| it.unknown));
        let (taken, lost) = (sum(|it| it.taken), sum(|it| it.lost));
        writeln!(
            f,
            "  accounted for: Redis admitted {admitted} and took {taken}; {unknown} of unknown outcome; {lost} lost in takeovers"
        )?;
        let (slowest, still) = (most(|it| it.slowest), most(|it| it.stood_still));
        writeln!(
            f,
            "  slowest answer: {slowest} ms; the machine stood still for up to {still} ms"
        )?;
        write!(
            f,
            "  normal again after Redis took writes: half within {median} ms, all within {} ms",
            most(|it| it.recovery)
        )?;
        if let Some(deed) = self.deed.filter(|_| self.failed) {
            write!(f, "\n  FAILED in episode {}: {}", self.all.len() + 1, deed.name())?;
        }
        Ok(())
    }
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Account { lasted, asked, without, unanswered, admitted, unknown, taken, lost, .. } =
            self.account;
        let taken_over = if self.account.taken_over { ", taken over" } else { "" };
        write!(
            f,
            "{:18}  {:4.1} s  {asked:5} checks, {without:4} without Redis",
            self.deed.name(),
            lasted.as_secs_f64()
        )?;
        if unanswered > 0 {
            write!(f, ", {unanswered} unanswered")?;
        }
        write!(
            f,
            "; admitted {admitted}, unknown {unknown}, taken {taken}, lost {lost}{taken_over}"
        )?;
        write!(f, "; normal after {:.2} s", self.account.recovery.as_secs_f64())
    }
}
