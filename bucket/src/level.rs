//! The step that moves a bucket.
//!
//! The scripts in `store/lua/` do the same arithmetic in the same order: change both or neither.

use crate::{Bucket, Cost, Decision, Limit, Micros, Op, Outcome, TOLERANCE};

/// A bucket at one moment under one limit: refilled, and nothing taken yet.
#[derive(Clone, Copy, Debug)]
pub struct Level {
    capacity: f64,
    /// Tokens a second.
    rate: f64,
    now: f64,
    stored: Option<Bucket>,
    tokens: f64,
}

/// A decision, and the state that the bucket is left in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// The answer.
    pub decision: Decision,
    /// The state to store, or `None` to leave the stored one as it is.
    pub write: Option<Bucket>,
}

/// Waits end this many tokens short, the middle of the tolerance, so that rounding makes them
/// neither early nor a millisecond late; at slow rates, short by the tokens of half a millisecond.
const WAIT_SLACK: f64 = TOLERANCE / 2.0;
const WAIT_SLACK_SECONDS: f64 = 5e-4;

/// Time for which a key outlives the moment when its bucket is full, in ms: at least the first, and
/// up to the second more. The slack lets most checks leave the expiry alone: moving it costs as
/// much as half a check.
const MIN_EXPIRY_SLACK_MS: f64 = 1e3;
const MAX_EXPIRY_SLACK_MS: f64 = 6e4;

/// The longest time until a bucket is full or holds a cost, in ms: 250 million years. Longer ones
/// are capped here, so that times, and expiries after them, are integers of 64 bits everywhere.
const MAX_WAIT_MS: f64 = 8e18;

// === impl Level ===

impl Level {
    /// The level of `stored` at `now`. A missing bucket is full. A bucket from the future (the
    /// clock stepped back) has gained nothing.
    #[inline]
    pub fn at(stored: Option<Bucket>, limit: &Limit, now: Micros) -> Self {
        let capacity = limit.capacity().tokens();
        let rate = limit.rate().per_second();
        let now = now.as_f64();
        let tokens = match stored {
            None => capacity,
            Some(bucket) => {
                let elapsed = (now - bucket.ts).max(0.0);
                (bucket.tokens + elapsed * rate / 1e6).min(capacity)
            }
        };
        Self { capacity, rate, now, stored, tokens }
    }

    /// The decision of a check of `cost`, which takes nothing.
    #[inline]
    pub fn peek(&self, cost: Cost) -> Decision {
        self.decision(self.outcome(cost), self.tokens)
    }

    /// Takes `cost` if the bucket holds that many.
    ///
    /// A check that takes nothing writes nothing, so no flood of denied checks can wear away the
    /// fraction of a token that has refilled since. The one exception is a bucket from the future,
    /// which is moved to `now` so that it cannot stall.
    #[inline]
    pub fn check(&self, cost: Cost) -> Step {
        let outcome = self.outcome(cost);
        match outcome {
            Outcome::Allowed => self.step(outcome, self.tokens - cost.tokens()),
            _ => self.step(outcome, self.tokens),
        }
    }

    /// Takes as many whole tokens as there are, up to `most` (rounded down). Returns their number
    /// and the step.
    ///
    /// Allowed if it took some or `most` is below one; otherwise the wait is for the first token.
    #[inline]
    pub fn take(&self, most: Cost) -> (u64, Step) {
        let there = (self.tokens + TOLERANCE).floor().max(0.0);
        let wanted = most.tokens().floor();
        let granted = there.min(wanted);
        let outcome = match granted {
            0.0 if wanted > 0.0 => self.outcome(Cost::ONE),
            _ => Outcome::Allowed,
        };
        (granted as u64, self.step(outcome, self.tokens - granted))
    }

    /// Gives `amount` tokens back, up to the capacity.
    #[inline]
    pub fn refund(&self, amount: Cost) -> Step {
        let left = (self.tokens + amount.tokens()).min(self.capacity);
        self.step(Outcome::Allowed, left)
    }

    /// Takes `amount` tokens even if they are not there, down to a debt of one capacity. After a
    /// check, this settles what the check reserved, for work whose true cost is known afterwards.
    #[inline]
    pub fn charge(&self, amount: Cost) -> Step {
        // A debt that a higher capacity allowed is not forgiven by a lower one.
        let floor = self.tokens.min(-self.capacity);
        let left = (self.tokens - amount.tokens()).max(floor);
        self.step(Outcome::Allowed, left)
    }

    /// Does `op` with `amount` tokens.
    #[inline]
    pub fn apply(&self, op: Op, amount: Cost) -> Step {
        match op {
            Op::Check => self.check(amount),
            Op::Peek => Step { decision: self.peek(amount), write: None },
            Op::Refund => self.refund(amount),
            Op::Charge => self.charge(amount),
        }
    }

    /// The state that this level was made from.
    #[inline]
    pub(crate) fn stored(&self) -> Option<Bucket> {
        self.stored
    }

    /// The step that leaves `left` tokens.
    #[inline]
    fn step(&self, outcome: Outcome, left: f64) -> Step {
        let write = match self.stored {
            _ if left != self.tokens => Some(self.store(left)),
            Some(bucket) if bucket.ts > self.now => Some(self.store(bucket.tokens)),
            _ => None,
        };
        Step { decision: self.decision(outcome, left), write }
    }

    #[inline]
    fn outcome(&self, cost: Cost) -> Outcome {
        let cost = cost.tokens();
        if cost > self.capacity {
            Outcome::Never
        } else if self.tokens + TOLERANCE >= cost {
            Outcome::Allowed
        } else {
            Outcome::NotYet { retry_after_ms: self.wait_ms(cost - self.tokens) }
        }
    }

    #[inline]
    fn decision(&self, outcome: Outcome, left: f64) -> Decision {
        Decision {
            outcome,
            limit: self.capacity as u64,
            remaining: (left + TOLERANCE).floor() as i64,
            reset_after_ms: self.wait_ms(self.capacity - left),
        }
    }

    /// Milliseconds in which `missing` tokens refill, rounded up, and at most [`MAX_WAIT_MS`].
    #[inline]
    fn wait_ms(&self, missing: f64) -> u64 {
        let aim = missing - WAIT_SLACK.min(self.rate * WAIT_SLACK_SECONDS);
        ((aim * 1e3 / self.rate).ceil().clamp(0.0, MAX_WAIT_MS) as i64).cast_unsigned()
    }

    /// The state that holds `tokens` now. Its expiry is kept, unless the bucket is full only after
    /// that.
    #[inline]
    fn store(&self, tokens: f64) -> Bucket {
        // A bucket filled under a higher limit is more than full.
        let to_full = ((self.capacity - tokens) * 1e3 / self.rate).clamp(0.0, MAX_WAIT_MS);
        let full_at = self.now / 1e3 + to_full;
        let mut expires = self.stored.map_or(0.0, |bucket| bucket.expires);
        if full_at > expires {
            expires = (full_at + MIN_EXPIRY_SLACK_MS + to_full.min(MAX_EXPIRY_SLACK_MS)).ceil();
        }
        let next = Bucket { tokens, ts: self.now, expires };
        self.invariants(&next, full_at);
        next
    }

    /// Asserts the invariants of a state to store, in debug builds.
    #[inline]
    fn invariants(&self, next: &Bucket, full_at: f64) {
        // Finite, within 1e9 tokens of zero, at 2^53 us or before.
        debug_assert_eq!(Bucket::decode(&next.encode()), Some(*next), "not a state");
        debug_assert!(next.expires >= full_at, "expires at {}: {self:?}", next.expires);
        // Only a bucket from the future keeps tokens of a higher capacity.
        let most = self.stored.map_or(self.capacity, |stored| stored.tokens.max(self.capacity));
        debug_assert!(next.tokens <= most, "{} tokens: {self:?}", next.tokens);
        // A charge stops at a debt of one capacity, a check at one of the tolerance.
        let floor = self.tokens.min(-self.capacity - TOLERANCE);
        debug_assert!(next.tokens >= floor, "{} tokens: {self:?}", next.tokens);
    }
}

#[cfg(test)]
mod tests {
    use super::Level;
    use crate::{Bucket, Cost, Limit, Micros, Op, Outcome};

    const START: u64 = 1_700_000_000_000_000;
    const MS: u64 = 1_000;
    const SECOND: u64 = 1_000_000;
    const DAY: u64 = 86_400 * SECOND;
    const MAX_WAIT: i64 = 8_000_000_000_000_000_000;

    /// One bucket, and the checks made of it.
    struct Story {
        limit: Limit,
        stored: Option<Bucket>,
    }

    impl Story {
        fn of(capacity: &str, rate: &str) -> Self {
            Self { limit: Limit::parse(capacity, rate).unwrap(), stored: None }
        }

        /// A check of `cost`, `at` microseconds after the start, replies these five integers.
        #[track_caller]
        fn check(&mut self, at: u64, cost: &str, wire: [i64; 5]) -> &mut Self {
            self.check_at(START + at, cost, wire)
        }

        #[track_caller]
        fn check_at(&mut self, now: u64, cost: &str, wire: [i64; 5]) -> &mut Self {
            let cost = Cost::parse(cost.as_bytes()).unwrap();
            let level = Level::at(self.stored, &self.limit, Micros::new(now));
            let step = level.check(cost);
            assert_eq!(step.decision.to_wire(), wire);
            if !step.decision.is_allowed() {
                assert_eq!(step.decision, level.peek(cost));
            }
            if step.write.is_some() {
                self.stored = step.write;
            }
            self
        }

        fn limit(&mut self, capacity: &str, rate: &str) -> &mut Self {
            self.limit = Limit::parse(capacity, rate).unwrap();
            self
        }
    }

    #[test]
    fn drains_and_refills() {
        Story::of("3", "2/s")
            .check(0, "1", [1, 3, 2, 0, 500])
            .check(0, "1", [1, 3, 1, 0, 1000])
            .check(0, "1", [1, 3, 0, 0, 1500])
            .check(0, "1", [0, 3, 0, 500, 1500])
            .check(499 * MS, "1", [0, 3, 0, 1, 1001])
            .check(500 * MS, "1", [1, 3, 0, 0, 1500])
            .check(500 * MS, "2", [0, 3, 0, 1000, 1500])
            .check(500 * MS, "4", [0, 3, 0, -1, 1500])
            .check(60 * SECOND, "3", [1, 3, 0, 0, 1500]);
    }

    #[test]
    fn fractions_of_a_token_survive() {
        Story::of("1", "100/m")
            .check(0, "1", [1, 1, 0, 0, 600])
            .check(599_999, "1", [0, 1, 0, 1, 1])
            .check(600 * MS, "0.5", [1, 1, 0, 0, 300])
            .check(600 * MS, "0.6", [0, 1, 0, 60, 300])
            .check(660 * MS, "0.6", [1, 1, 0, 0, 600]);
    }

    #[test]
    fn one_a_day_polled_every_millisecond() {
        let mut story = Story::of("1", "1/d");
        story.check(0, "1", [1, 1, 0, 0, 86_400_000]);
        let one = Cost::ONE;
        for ms in 1..100_000 {
            let now = Micros::new(START + ms * MS);
            let step = Level::at(story.stored, &story.limit, now).check(one);
            let retry_after_ms = 86_400_000 - ms;
            assert_eq!(step.decision.outcome, Outcome::NotYet { retry_after_ms });
            assert_eq!(step.write, None);
        }
        // The tolerance of a millionth of a token is 86 ms at this rate.
        story.check(DAY - 100 * MS, "1", [0, 1, 0, 100, 100]).check(
            DAY,
            "1",
            [1, 1, 0, 0, 86_400_000],
        );
    }

    #[test]
    fn extreme_levels_stay_in_bounds() {
        // The largest bucket at the highest rate: a microsecond is a thousand tokens.
        Story::of("1000000000", "1000000000")
            .check(0, "1000000000", [1, 1_000_000_000, 0, 0, 1000])
            .check(1, "1001", [0, 1_000_000_000, 1000, 1, 1000])
            .check(2, "2000", [1, 1_000_000_000, 0, 0, 1000])
            .check(SECOND + 2, "1000000000", [1, 1_000_000_000, 0, 0, 1000]);
        // And at a low one: a wait of thirty-one million years.
        Story::of("1000000000", "0.000001")
            .check(0, "1000000000", [1, 1_000_000_000, 0, 0, 1_000_000_000_000_000_000])
            .check(1, "1", [0, 1_000_000_000, 0, 1_000_000_000, 1_000_000_000_000_000_000]);
        // And at the lowest: the longest wait that is reported.
        Story::of("1000000000", "1e-9")
            .check(0, "1000000000", [1, 1_000_000_000, 0, 0, MAX_WAIT])
            .check(1, "1", [0, 1_000_000_000, 0, 1_000_000_000_000, MAX_WAIT])
            .check(2, "7999999", [0, 1_000_000_000, 0, 7_999_999_000_000_000_000, MAX_WAIT])
            .check(2, "8000001", [0, 1_000_000_000, 0, MAX_WAIT, MAX_WAIT])
            .check(3, "1000000000", [0, 1_000_000_000, 0, MAX_WAIT, MAX_WAIT]);
        // A token in 30 days.
        Story::of("1", "1/30d")
            .check(0, "1", [1, 1, 0, 0, 2_592_000_000])
            .check(29 * DAY, "1", [0, 1, 0, 86_400_000, 86_400_000])
            .check(30 * DAY, "1", [1, 1, 0, 0, 2_592_000_000]);
        // Ten idle years at any rate overflow nothing.
        Story::of("1000000000", "1000000000")
            .check(0, "1000000000", [1, 1_000_000_000, 0, 0, 1000])
            .check(3650 * DAY, "1000000000", [1, 1_000_000_000, 0, 0, 1000]);
        // A bucket of less than one token.
        Story::of("0.5", "0.25").check(0, "0.5", [1, 0, 0, 0, 2000]).check(
            0,
            "0.6",
            [0, 0, 0, -1, 2000],
        );
    }

    #[test]
    fn a_free_check_takes_and_writes_nothing() {
        let limit = Limit::parse("5", "1").unwrap();
        let free = Cost::parse(b"0").unwrap();
        let step = Level::at(None, &limit, Micros::new(START)).check(free);
        assert_eq!(step.decision.to_wire(), [1, 5, 5, 0, 0]);
        assert_eq!(step.write, None);
    }

    #[test]
    fn limits_change_between_calls() {
        Story::of("10", "1")
            .check(0, "4", [1, 10, 6, 0, 4000])
            .limit("5", "1")
            .check(0, "1", [1, 5, 4, 0, 1000]) // held 6, capped at 5
            .limit("100", "10")
            .check(0, "4", [1, 100, 0, 0, 10_000]) // a higher limit adds no tokens by itself
            .check(100 * MS, "1", [1, 100, 0, 0, 10_000]);
    }

    #[test]
    fn a_clock_that_goes_back_neither_gives_nor_stalls() {
        let hour = 3600 * SECOND;
        Story::of("10", "1")
            .check(hour, "10", [1, 10, 0, 0, 10_000])
            .check(0, "1", [0, 10, 0, 1000, 10_000]) // an hour back: no credit, re-anchored
            .check(SECOND, "1", [1, 10, 0, 0, 10_000]) // and refilling from there
            .check_at(0, "1", [0, 10, 0, 1000, 10_000])
            .check_at(SECOND, "1", [1, 10, 0, 0, 10_000]);
        // A peek or a cost that can never pass leaves the bucket to the next real check.
        Story::of("10", "1").check(hour, "4", [1, 10, 6, 0, 4000]).check(
            0,
            "11",
            [0, 10, 6, -1, 4000],
        );
    }

    /// Calls on one bucket, one after another: `[granted]` or nothing, then the five integers.
    #[test]
    fn takes_refunds_and_charges() {
        let limit = Limit::parse("10", "2").unwrap();
        let mut stored = None;
        let mut at = |us: u64, call: &str, amount: &str, expected: &[i64]| {
            let level = Level::at(stored, &limit, Micros::new(START + us));
            let amount = Cost::parse(amount.as_bytes()).unwrap();
            let (granted, step) = match call {
                "take" => {
                    let (granted, step) = level.take(amount);
                    (vec![granted as i64], step)
                }
                "refund" => (vec![], level.refund(amount)),
                "charge" => (vec![], level.charge(amount)),
                _ => (vec![], level.check(amount)),
            };
            stored = step.write.or(stored);
            let reply = [granted, step.decision.to_wire().to_vec()].concat();
            assert_eq!(reply, expected, "{call} {amount} at {us}");
        };
        at(0, "refund", "3", &[1, 10, 10, 0, 0]); // a full bucket stays full
        at(0, "take", "4", &[4, 1, 10, 6, 0, 2000]);
        at(0, "take", "3.9", &[3, 1, 10, 3, 0, 3500]);
        at(250_000, "take", "100", &[3, 1, 10, 0, 0, 4750]); // half a token stays
        at(250_000, "take", "1", &[0, 0, 10, 0, 250, 4750]);
        at(250_000, "take", "0", &[0, 1, 10, 0, 0, 4750]);
        at(500_000, "take", "1", &[1, 1, 10, 0, 0, 5000]);
        at(500_000, "charge", "4", &[1, 10, -4, 0, 7000]);
        at(500_000, "check", "1", &[0, 10, -4, 2500, 7000]);
        at(500_000, "take", "5", &[0, 0, 10, -4, 2500, 7000]);
        at(500_000, "refund", "1.5", &[1, 10, -3, 0, 6250]);
        at(500_000, "charge", "1000000000", &[1, 10, -10, 0, 10_000]);
        at(500_000, "charge", "1", &[1, 10, -10, 0, 10_000]);
        at(3_000_000, "refund", "1000000000", &[1, 10, 10, 0, 0]);
    }

    #[test]
    fn an_operation_is_the_method_of_its_name() {
        let limit = Limit::parse("3", "1").unwrap();
        let now = Micros::new(START);
        let stored = Level::at(None, &limit, now).check(Cost::ONE).write;
        let level = Level::at(stored, &limit, now);
        assert_eq!(level.apply(Op::Check, Cost::ONE), level.check(Cost::ONE));
        assert_eq!(level.apply(Op::Peek, Cost::ONE).decision, level.peek(Cost::ONE));
        assert_eq!(level.apply(Op::Peek, Cost::ONE).write, None);
        assert_eq!(level.apply(Op::Refund, Cost::ONE), level.refund(Cost::ONE));
        assert_eq!(level.apply(Op::Charge, Cost::ONE), level.charge(Cost::ONE));
    }

    #[test]
    fn a_lower_capacity_forgives_no_debt() {
        let (high, low) = (Limit::parse("50", "1").unwrap(), Limit::parse("10", "1").unwrap());
        let now = Micros::new(START);
        let amount = Cost::parse(b"100").unwrap();
        let deep = Level::at(None, &high, now).charge(amount);
        assert_eq!(deep.decision.remaining, -50);
        let still = Level::at(deep.write, &low, now).charge(Cost::ONE);
        assert_eq!((still.decision.remaining, still.write), (-50, None));
    }

    #[test]
    fn no_whole_token_ever_fits_a_small_bucket() {
        let limit = Limit::parse("0.5", "1").unwrap();
        let (granted, step) = Level::at(None, &limit, Micros::new(START)).take(Cost::ONE);
        assert_eq!((granted, step.decision.outcome), (0, Outcome::Never));
    }

    /// Found by fuzzing: the time until the bucket is full was negative, and so was the expiry.
    #[test]
    fn a_bucket_from_the_future_may_hold_more_than_the_current_capacity() {
        let bucket = Bucket { tokens: 3.0, ts: 1e12, expires: 0.0 };
        let limit = Limit::parse("1", "0.00001").unwrap();
        let now = 270_000_000_000;
        let moved = Level::at(Some(bucket), &limit, Micros::new(now)).check(Cost::ZERO).write;
        assert_eq!(moved.unwrap().expires_at_ms(), now as i64 / 1000 + 1000);
    }

    #[test]
    fn a_wait_too_long_to_report_is_capped_and_so_is_the_expiry() {
        let limit = Limit::parse("1000000000", "1e-9").unwrap();
        let all = limit.capacity().to_string();
        let all = Cost::parse(all.as_bytes()).unwrap();
        // The deepest debt, two capacities short, at the last moment there is.
        let now = Micros::new(u64::MAX);
        let empty = Level::at(None, &limit, now).check(all).write;
        let deep = Level::at(empty, &limit, now).charge(all);
        assert_eq!(deep.decision.to_wire(), [1, 1_000_000_000, -1_000_000_000, 0, MAX_WAIT]);
        let bucket = deep.write.unwrap();
        assert_eq!(Bucket::decode(&bucket.encode()), Some(bucket));
        let until_expiry = bucket.expires_at_ms() - (now.get() / 1000) as i64;
        assert!((MAX_WAIT..MAX_WAIT + 121_000).contains(&until_expiry), "{until_expiry}");
        let denied = Level::at(deep.write, &limit, now).check(all);
        let wire = [0, 1_000_000_000, -1_000_000_000, MAX_WAIT, MAX_WAIT];
        assert_eq!(denied.decision.to_wire(), wire);
    }

    #[test]
    fn the_expiry_moves_rarely_and_never_too_early() {
        let limit = Limit::parse("100", "10").unwrap(); // full again after at most 10 s
        let mut stored = None;
        let mut moves = 0;
        for i in 0..10_000 {
            let now = Micros::new(START + i * 10 * MS);
            let step = Level::at(stored, &limit, now).check(Cost::ONE);
            if let Some(bucket) = step.write {
                let full_at_ms = now.get() / 1000 + step.decision.reset_after_ms;
                assert!(bucket.expires_at_ms() as u64 >= full_at_ms);
                assert!(bucket.expires_at_ms() as u64 <= full_at_ms + 11_001);
                moves += i32::from(stored.is_none_or(|b: Bucket| b.expires != bucket.expires));
                stored = Some(bucket);
            }
        }
        assert!((9..25).contains(&moves), "{moves} moves in 100 s");
    }
}
