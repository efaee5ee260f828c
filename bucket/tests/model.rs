//! The bucket against an exact model in rational numbers.
//!
//! The model takes the engine's doubles for the limit at their exact value and follows the engine's
//! decisions, so the two never diverge; the tests compare the levels that each of them sees.

use num::{BigInt, BigRational, FromPrimitive, ToPrimitive};
use proptest::prelude::*;
use rl_bucket::{
    Bucket, Cost, JointCheck, JointWrite, Level, Limit, Micros, Outcome, Step, TOLERANCE,
};

const START: u64 = 1_700_000_000_000_000;
const MS: u64 = 1_000;
/// The longest wait that is reported, and to which an expiry looks ahead.
const MAX_WAIT_MS: f64 = 8e18;
/// Buckets of a joint check: few, so that most calls name one twice.
const BUCKETS: usize = 3;

/// An exact token bucket.
#[derive(Clone)]
struct Model {
    tokens: BigRational,
    ts: u64,
}

/// The engine and the model, side by side on one bucket.
#[derive(Clone)]
struct Pair {
    stored: Option<Bucket>,
    model: Option<Model>,
    /// Bound on the rounding errors of the engine: two for each write, and one for the refill.
    drift: f64,
}

fn exact(value: f64) -> BigRational {
    BigRational::from_f64(value).unwrap()
}

fn micros(elapsed: u64) -> BigRational {
    BigRational::new(BigInt::from(elapsed), BigInt::from(1_000_000))
}

// === impl Pair ===

impl Pair {
    fn new() -> Self {
        Self { stored: None, model: None, drift: 0.0 }
    }

    fn exact_level(&self, limit: &Limit, now: u64) -> BigRational {
        let capacity = exact(limit.capacity().tokens());
        match &self.model {
            None => capacity,
            Some(model) => {
                let elapsed = micros(now.saturating_sub(model.ts));
                let refilled = &model.tokens + elapsed * exact(limit.rate().per_second());
                refilled.min(capacity)
            }
        }
    }

    /// One check on both. Asserts that the engine's decision is exact, up to the tolerance and the
    /// drift.
    fn check(&mut self, limit: &Limit, now: u64, cost: Cost) -> Step {
        let level = self.exact_level(limit, now);
        let step = Level::at(self.stored, limit, Micros::new(now)).check(cost);

        let surplus = (&level - exact(cost.tokens())).to_f64().unwrap();
        let slack = self.drift + limit.capacity().tokens() * 1e-15;
        match step.decision.outcome {
            Outcome::Allowed => {
                assert!(surplus >= -TOLERANCE - slack, "admitted with {surplus} to spare");
            }
            Outcome::NotYet { .. } => {
                assert!(surplus < -TOLERANCE + slack, "false denial with {surplus} to spare");
            }
            Outcome::Never => assert!(cost.tokens() > limit.capacity().tokens()),
        }
        let remaining =
            level.to_f64().unwrap() - if step.decision.is_allowed() { cost.tokens() } else { 0.0 };
        let shown = step.decision.remaining as f64;
        assert!(shown <= remaining + TOLERANCE + slack, "{shown} shown of {remaining}");
        assert!(shown > remaining - 1.0 - slack, "{shown} shown of {remaining}");

        if step.decision.is_allowed() {
            if step.write.is_some() {
                self.model = Some(Model { tokens: level - exact(cost.tokens()), ts: now });
            }
        } else if step.write.is_some() {
            self.re_anchor(now);
        }
        if step.write.is_some() {
            self.stored = step.write;
            self.drift += limit.capacity().tokens() * 4e-16;
        }
        step
    }

    fn is_from_the_future(&self, now: u64) -> bool {
        self.model.as_ref().is_some_and(|model| model.ts > now)
    }

    /// Moves the model to `now` without credit.
    fn re_anchor(&mut self, now: u64) {
        self.model.as_mut().expect("only a stored bucket is re-anchored").ts = now;
    }
}

// === strategies ===

fn capacities() -> impl Strategy<Value = String> {
    prop_oneof![
        (1u64..=20).prop_map(|n| n.to_string()),
        (1u64..=1_000_000_000).prop_map(|n| n.to_string()),
        (1u64..=999_999_999).prop_map(|n| format!("{}.{:09}", n % 1000, n)),
        Just("1000000000".to_owned()),
        Just("0.5".to_owned()),
        (1u64..=999_999_999).prop_map(|n| format!("{:e}", n as f64 / 7e7)),
    ]
}

fn rates() -> impl Strategy<Value = String> {
    prop_oneof![
        (1u64..=1000).prop_map(|n| n.to_string()),
        (1u64..=5000, prop_oneof!["s", "m", "h", "d"]).prop_map(|(n, unit)| format!("{n}/{unit}")),
        (1u64..=50, 1u64..=90).prop_map(|(n, count)| format!("{n}/{count}s")),
        (1u64..=999_999_999).prop_map(|n| format!("1.{n:09}")),
        Just("100/m".to_owned()),
        Just("1/d".to_owned()),
        Just("0.000001".to_owned()),
        Just("1000000000".to_owned()),
        // As languages print them: 1.6666666666666667, 2.5e-8.
        (1u64..=5000, 1u64..=5000).prop_map(|(n, count)| (n as f64 / count as f64).to_string()),
        (1u64..=999, 1u64..=9).prop_map(|(n, places)| format!("{n}e-0{places}")),
        (1u64..=50, 1u64..=900).prop_map(|(n, count)| format!("{n}/{count}d")),
        Just("1e-9".to_owned()),
    ]
}

fn limits() -> impl Strategy<Value = Limit> {
    (capacities(), rates()).prop_map(|(capacity, rate)| Limit::parse(&capacity, &rate).unwrap())
}

/// A cost to suit `limit`: none, one, a fraction of the capacity, all of it, more.
fn cost_of(limit: &Limit, choice: u8) -> Cost {
    let capacity = limit.capacity().tokens();
    let text = match choice {
        0 => "0".to_owned(),
        1..=3 => "1".to_owned(),
        4..=6 => format!("{:.3}", capacity / f64::from(choice)),
        7 => limit.capacity().to_string(),
        8 => format!("{:.9}", capacity / 3.0),
        _ => format!("{:.0}", (capacity + 1.0).min(1e9)),
    };
    Cost::parse(text.as_bytes()).unwrap()
}

/// Microseconds between two checks: none, a few, a burst's worth, a day, an idle year. 150 of them
/// end before the year 2255, the last of [`Micros`].
fn gaps() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => 0u64..10,
        4 => 0u64..5_000,
        4 => 0u64..5_000_000,
        2 => 0u64..86_400_000_000,
        1 => Just(365 * 86_400_000_000),
    ]
}

fn traffic() -> impl Strategy<Value = Vec<(u64, u8)>> {
    prop::collection::vec((gaps(), 0u8..10), 1..150)
}

/// A joint call: the time since the last one, one in nine backwards; then a bucket and a cost for
/// each check.
fn joint_call() -> impl Strategy<Value = (i64, Vec<(usize, u8)>)> {
    let gap = (gaps(), 0u8..9).prop_map(|(gap, direction)| match direction {
        0 => -(gap.min(5_000_000) as i64),
        _ => gap as i64,
    });
    (gap, prop::collection::vec((0..BUCKETS, 0u8..10), 1..6))
}

// === the laws ===

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Every decision is exact, and over the whole run admitted <= capacity + rate * T.
    #[test]
    fn admits_exactly_the_limit(limit in limits(), traffic in traffic()) {
        let mut pair = Pair::new();
        let mut now = START;
        let mut admitted = BigRational::from_i64(0).unwrap();
        for (gap, choice) in traffic {
            now += gap;
            let cost = cost_of(&limit, choice);
            if pair.check(&limit, now, cost).decision.is_allowed() {
                admitted += exact(cost.tokens());
            }
            let bound = exact(limit.capacity().tokens())
                + micros(now - START) * exact(limit.rate().per_second())
                + exact(TOLERANCE + pair.drift);
            prop_assert!(admitted <= bound);
        }
    }

    /// A check made alone, exactly at retry_after, is allowed. One made earlier by a millisecond,
    /// or by the time of the tolerance if that is more, is not.
    #[test]
    fn retry_after_is_exact(limit in limits(), traffic in traffic(), choice in 1u8..9) {
        let mut pair = Pair::new();
        let mut now = START;
        for (gap, choice) in traffic {
            now += gap;
            pair.check(&limit, now, cost_of(&limit, choice));
        }
        let cost = cost_of(&limit, choice);
        let decision = Level::at(pair.stored, &limit, Micros::new(now)).peek(cost);
        if let Outcome::NotYet { retry_after_ms } = decision.outcome {
            let at = |us: u64| Level::at(pair.stored, &limit, Micros::new(us)).peek(cost);
            let wait = u128::from(retry_after_ms) * 1000;
            let then = u128::from(now) + wait;
            prop_assume!(then < 1 << 53);
            prop_assert!(at(then as u64).is_allowed(), "early");

            let tolerance_us = 1e6 * TOLERANCE / limit.rate().per_second();
            // Two tolerances: the check is allowed from one before the exact moment, and the wait
            // may end one after it.
            let late = 1000.0 + 2.0 * tolerance_us;
            if wait as f64 > late {
                prop_assert!(!at((then as f64 - late) as u64).is_allowed(), "late");
            }
            // From the exact moment, only one: a millisecond or a tolerance, whichever is more.
            let missing = exact(cost.tokens()) - pair.exact_level(&limit, now);
            let due_us = missing * exact(1e6) / exact(limit.rate().per_second());
            let lateness = (BigRational::from_u128(wait).unwrap() - due_us).to_f64().unwrap();
            let drift_us = 1e6 * pair.drift / limit.rate().per_second();
            prop_assert!(lateness <= tolerance_us.max(1000.0) + drift_us, "{lateness} us late");
        }
    }

    /// The bucket is full at reset_after, and its key lives at least as long.
    #[test]
    fn reset_and_expiry_are_not_early(limit in limits(), traffic in traffic()) {
        let mut pair = Pair::new();
        let mut now = START;
        for (gap, choice) in traffic {
            now += gap;
            let step = pair.check(&limit, now, cost_of(&limit, choice));
            let full_at = u128::from(now) + u128::from(step.decision.reset_after_ms) * 1000;
            if full_at < 1 << 53 {
                let all = Cost::parse(limit.capacity().to_string().as_bytes()).unwrap();
                let then = Level::at(pair.stored, &limit, Micros::new(full_at as u64));
                prop_assert!(then.peek(all).is_allowed());
                // Full up to the tolerance: the level is rounded.
                let tolerance_ms = 1e3 * TOLERANCE / limit.rate().per_second();
                prop_assert!(then.peek(all).reset_after_ms as f64 <= 1.0 + tolerance_ms);
            }
            if let Some(bucket) = step.write {
                let expires = BigRational::from_i64(bucket.expires_at_ms()).unwrap();
                let missing = exact(limit.capacity().tokens()) - pair.exact_level(&limit, now);
                let to_full = missing * exact(1e3) / exact(limit.rate().per_second());
                prop_assert!(expires >= exact(now as f64 / 1e3) + to_full.min(exact(MAX_WAIT_MS)));
            }
        }
    }

    /// Splitting a wait into many denied or free calls loses nothing, to the bit.
    #[test]
    fn waiting_in_pieces_loses_nothing(
        limit in limits(),
        pieces in prop::collection::vec(1u64..2_000_000, 1..200),
    ) {
        let all = Cost::parse(limit.capacity().to_string().as_bytes()).unwrap();
        let mut polled = Level::at(None, &limit, Micros::new(START)).check(all).write;
        let whole = polled;
        let mut now = START;
        for (i, piece) in pieces.into_iter().enumerate() {
            now += piece;
            let cost = if i % 2 == 0 { all } else { Cost::parse(b"0").unwrap() };
            let step = Level::at(polled, &limit, Micros::new(now)).check(cost);
            if step.decision.is_allowed() && i % 2 == 0 {
                break;
            }
            polled = step.write.or(polled);
        }
        prop_assert_eq!(polled, whole);
    }

    /// A caller that always waits for retry_after gets the whole rate, in pieces of any size.
    #[test]
    fn a_patient_caller_gets_the_whole_rate(
        limit in limits(),
        choice in 1u8..9,
        turns in 1usize..60,
    ) {
        let cost = cost_of(&limit, choice);
        prop_assume!(cost.tokens() > 0.0 && cost.tokens() <= limit.capacity().tokens());
        let (mut pair, mut now, mut admitted) = (Pair::new(), START, 0.0);
        for _ in 0..turns {
            match pair.check(&limit, now, cost).decision.outcome {
                Outcome::Allowed => admitted += cost.tokens(),
                Outcome::NotYet { retry_after_ms } => {
                    prop_assume!(u128::from(now) + u128::from(retry_after_ms) * 1000 < 1 << 53);
                    now += retry_after_ms * MS;
                    prop_assert!(pair.check(&limit, now, cost).decision.is_allowed());
                    admitted += cost.tokens();
                }
                Outcome::Never => unreachable!(),
            }
        }
        let refilled = limit.capacity().tokens()
            + (now - START) as f64 / 1e6 * limit.rate().per_second();
        // Tokens left in the bucket, and the millisecond of rounding of each wait.
        let spare = cost.tokens() + turns as f64 * (limit.rate().per_second() / 1e3 + TOLERANCE)
            + refilled * 1e-12;
        prop_assert!(admitted >= refilled.min(turns as f64 * cost.tokens()) - spare);
    }

    /// Limits that change between calls never admit more than the current one.
    #[test]
    fn limits_may_change(steps in prop::collection::vec((limits(), gaps(), 0u8..10), 1..100)) {
        let mut pair = Pair::new();
        let mut now = START;
        for (limit, gap, choice) in steps {
            now += gap;
            let held = pair.exact_level(&limit, now);
            prop_assert!(held <= exact(limit.capacity().tokens()));
            pair.check(&limit, now, cost_of(&limit, choice));
        }
    }

    /// A clock that goes back gives no tokens, and the refill goes on from there.
    #[test]
    fn the_clock_may_go_back(
        limit in limits(),
        traffic in traffic(),
        back in 1u64..100_000_000_000,
    ) {
        let mut pair = Pair::new();
        let mut now = START;
        for (gap, choice) in traffic {
            now += gap;
            pair.check(&limit, now, cost_of(&limit, choice));
        }
        let before = pair.exact_level(&limit, now);
        now -= back;
        prop_assert!(pair.exact_level(&limit, now) <= before);
        // One check, allowed or not, re-anchors the bucket; from then on it gains at its rate.
        let all = Cost::parse(limit.capacity().to_string().as_bytes()).unwrap();
        pair.check(&limit, now, all);
        let wait = Level::at(pair.stored, &limit, Micros::new(now)).peek(all).outcome;
        if let Outcome::NotYet { retry_after_ms } = wait {
            prop_assume!(u128::from(now) + u128::from(retry_after_ms) * 1000 < 1 << 53);
            prop_assert!(pair.check(&limit, now + retry_after_ms * MS, all).decision.is_allowed());
        }
    }

    /// A joint check is allowed if its checks are, one after another; then all of them take, else
    /// none does. Over the whole run each bucket admits <= capacity + rate * T.
    #[test]
    fn joint_checks_take_all_or_nothing(
        limits in prop::collection::vec(limits(), BUCKETS),
        calls in prop::collection::vec(joint_call(), 1..30),
    ) {
        let mut pairs = vec![Pair::new(); BUCKETS];
        let mut admitted = vec![BigRational::from_i64(0).unwrap(); BUCKETS];
        let (mut now, mut elapsed) = (START, 0);
        for (gap, checks) in calls {
            now = now.strict_add_signed(gap);
            elapsed += gap.max(0) as u64;
            let checks: Vec<_> =
                checks.into_iter().map(|(i, choice)| (i, cost_of(&limits[i], choice))).collect();
            let mut joint = JointCheck::with_capacity(Micros::new(now), checks.len());
            for &(i, cost) in &checks {
                joint.push(i, &limits[i], cost, || pairs[i].stored);
            }

            // The checks one after another, and the decision that each would meet alone.
            let mut one_by_one = pairs.clone();
            let (mut decisions, mut peeks, mut writes) = (vec![], vec![], vec![]);
            for &(key, cost) in &checks {
                let pair = &mut one_by_one[key];
                let stored = pair.stored;
                peeks.push(Level::at(stored, &limits[key], Micros::new(now)).peek(cost));
                let step = pair.check(&limits[key], now, cost);
                decisions.push(step.decision);
                writes.extend(step.write.map(|bucket| JointWrite { key, stored, bucket }));
            }
            let denied = decisions.iter().position(|decision| !decision.is_allowed());
            prop_assert_eq!(joint.denied(), denied);

            if denied.is_none() {
                prop_assert_eq!(joint.decisions().collect::<Vec<_>>(), decisions);
                prop_assert_eq!(joint.writes().collect::<Vec<_>>(), writes);
                pairs = one_by_one;
                for &(i, cost) in &checks {
                    admitted[i] += exact(cost.tokens());
                }
            } else {
                prop_assert_eq!(joint.decisions().collect::<Vec<_>>(), peeks);
                for JointWrite { key, stored, bucket } in joint.writes() {
                    let pair = &mut pairs[key];
                    prop_assert!(pair.is_from_the_future(now));
                    prop_assert_eq!(stored, pair.stored);
                    pair.stored = Some(bucket);
                    pair.re_anchor(now);
                }
                for &(i, _) in &checks {
                    prop_assert!(!pairs[i].is_from_the_future(now));
                }
            }
            for ((pair, admitted), limit) in pairs.iter().zip(&admitted).zip(&limits) {
                let bound = exact(limit.capacity().tokens())
                    + micros(elapsed) * exact(limit.rate().per_second())
                    + exact(TOLERANCE + pair.drift);
                prop_assert!(*admitted <= bound);
            }
        }
    }

    /// decode(encode(x)) = x for every state the bucket can make.
    #[test]
    fn states_survive_their_bytes(limit in limits(), traffic in traffic()) {
        let (mut pair, mut now) = (Pair::new(), START);
        for (gap, choice) in traffic {
            now += gap;
            if let Some(bucket) = pair.check(&limit, now, cost_of(&limit, choice)).write {
                prop_assert_eq!(Bucket::decode(&bucket.encode()), Some(bucket));
            }
        }
    }

    /// No bytes panic; a state that decodes encodes to the same bytes and works under any limit.
    #[test]
    fn any_bytes_are_a_bucket_or_not(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            prop::collection::vec(any::<u8>(), 24).prop_map(|mut tail| { tail.insert(0, 1); tail }),
            (-1e10f64..1e10, -1e16f64..1e16, -1e19f64..1e19).prop_map(|(tokens, ts, expires)| {
                let doubles = [tokens, ts, expires].map(f64::to_le_bytes);
                [&[1], doubles.as_flattened()].concat()
            }),
        ],
        limit in limits(),
        now in any::<u64>(),
        choice in 0u8..10,
    ) {
        if let Some(bucket) = Bucket::decode(&bytes) {
            prop_assert_eq!(&bucket.encode()[..], &bytes[..]);
            let level = Level::at(Some(bucket), &limit, Micros::new(now));
            let step = level.check(cost_of(&limit, choice));
            prop_assert!(step.decision.remaining <= limit.capacity().tokens() as i64);
            if let Some(next) = step.write {
                prop_assert_eq!(Bucket::decode(&next.encode()), Some(next));
            }
        }
    }

    /// No text panics; a limit that parses displays as a text that parses to the same limit.
    #[test]
    fn any_text_is_a_limit_or_not(
        capacity in "[0-9.eE+-]{0,14}|[0-9]{1,10}\\.[0-9]{1,30}(e-?[0-9]{1,3})?|\\PC{0,12}",
        rate in prop_oneof![
            "[0-9.e/smhd+-]{0,14}|\\PC{0,12}",
            "[0-9]{1,3}(\\.[0-9]{1,20})?(E[+-]?0?[0-9])?(/[0-9]{0,3}[smhd])?",
        ],
    ) {
        if let Ok(limit) = Limit::parse(&capacity, &rate) {
            let (capacity, rate) = (limit.capacity().to_string(), limit.rate().to_string());
            let again = Limit::parse(&capacity, &rate).unwrap();
            prop_assert_eq!(again.capacity(), limit.capacity());
            let bits = |limit: Limit| limit.rate().per_second().to_bits();
            prop_assert_eq!(bits(again), bits(limit));
        }
    }
}
