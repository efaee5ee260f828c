//! The model: the bucket of `rl-bucket`, with its states kept by hand as Redis keeps keys.

use rl_bucket::{Bucket, Cost, Decision, Level, Limit, Micros};
use rl_store::redis::CommandKind;
use rl_tests::Flavour;

use super::trace::{Arguments, KEYS, Step};

/// The answer of an engine to a step, and then the value and expiry of each key.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) answer: Vec<i64>,
    pub(super) states: Vec<Option<([u8; Bucket::LEN], i64)>>,
}

#[derive(Clone, Default)]
pub(super) struct Model([Option<Bucket>; KEYS]);

/// Valkey's clock cannot be stopped completely: it counts on between its ticks. A step may be
/// answered for any moment within this many microseconds of the one that was set.
const VALKEY_DRIFT: u64 = 5_000;

// === impl Model ===

impl Model {
    fn answer(&mut self, step: &Step, now: Micros) -> Vec<i64> {
        let buckets = &mut self.0;
        for bucket in buckets.iter_mut() {
            let alive = |bucket: &Bucket| bucket.expires_at_ms() as u64 >= now.get() / 1000;
            *bucket = bucket.filter(alive);
        }
        let level = |bucket, arguments: &Arguments| {
            let limit = Limit::parse(&arguments.capacity, &arguments.rate).expect("a limit");
            let amount = Cost::parse(arguments.amount.as_bytes()).expect("an amount");
            (Level::at(bucket, &limit, now), amount)
        };
        let mut answer = Vec::new();
        match step.command {
            CommandKind::CheckAll => {
                let before = *buckets;
                let mut decisions: Vec<Decision> = Vec::new();
                let mut peeked: Vec<Decision> = Vec::new();
                let mut anchored: Vec<(usize, Option<Bucket>)> = Vec::new();
                for arguments in &step.buckets {
                    let (level, amount) = level(buckets[arguments.key], arguments);
                    let step = level.check(amount);
                    decisions.push(step.decision);
                    peeked.push(level.peek(amount));
                    anchored.push((arguments.key, level.check(Cost::ZERO).write));
                    buckets[arguments.key] = step.write.or(buckets[arguments.key]);
                }
                let denied = decisions.iter().position(|decision| !decision.is_allowed());
                if denied.is_some() {
                    *buckets = before;
                    decisions = peeked;
                    for (key, write) in anchored {
                        buckets[key] = write.or(buckets[key]);
                    }
                }
                answer.push(i64::from(denied.is_none()));
                answer.push(denied.map_or(-1, |index| index as i64));
                answer.extend(decisions.into_iter().flat_map(Decision::to_wire));
            }
            CommandKind::Reset => {
                let deleted = step.buckets.iter().filter_map(|q| buckets[q.key].take());
                answer.push(deleted.count() as i64);
            }
            command => {
                for arguments in &step.buckets {
                    let bucket = &mut buckets[arguments.key];
                    let (level, amount) = level(*bucket, arguments);
                    let step = match command {
                        CommandKind::Take => {
                            let (granted, step) = level.take(amount);
                            answer.push(granted as i64);
                            step
                        }
                        CommandKind::Refund => level.refund(amount),
                        CommandKind::Charge => level.charge(amount),
                        CommandKind::Peek => {
                            answer.extend(level.peek(amount).to_wire());
                            continue;
                        }
                        _ => level.check(amount),
                    };
                    *bucket = step.write.or(*bucket);
                    answer.extend(step.decision.to_wire());
                }
            }
        }
        answer
    }

    pub(super) fn outcome(&mut self, step: &Step, now: u64) -> Outcome {
        let answer = self.answer(step, Micros::new(now));
        let states = self.0.iter().map(|bucket| bucket.map(|b| (b.encode(), b.expires_at_ms())));
        Outcome { answer, states: states.collect() }
    }

    /// Follows the outcome of an engine, if the bucket has the same outcome at some moment of the
    /// step. Otherwise returns the outcome of the bucket.
    pub(super) fn follow(&mut self, step: &Step, engine: &Outcome) -> Result<(), Outcome> {
        let slack = if Flavour::under_test().is_valkey { VALKEY_DRIFT } else { 0 };
        for now in (step.now..=step.now + slack).chain(step.now - slack..step.now) {
            let mut candidate = self.clone();
            let mut outcome = candidate.outcome(step, now);
            // States are read after the answer: a key may have expired in between.
            for (key, state) in engine.states.iter().enumerate() {
                let has_expired = |bucket: Bucket| {
                    bucket.expires_at_ms().cast_unsigned() < (step.now + slack) / 1000
                };
                if state.is_none() && candidate.0[key].is_some_and(has_expired) {
                    candidate.0[key] = None;
                    outcome.states[key] = None;
                }
            }
            if outcome == *engine {
                *self = candidate;
                return Ok(());
            }
        }
        Err(self.clone().outcome(step, step.now))
    }
}
