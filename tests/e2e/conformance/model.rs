//! The model: the bucket itself, its states kept by hand as Redis keeps keys.

use rl_bucket::{Bucket, Cost, Decision, Level, Limit, Micros};
use rl_server::store::redis::Command;
use rl_tests::Flavour;

use super::trace::{KEYS, Question, Step};

/// What an engine says of a step, and what it then holds under each key, with the key's expiry.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    pub(super) answer: Vec<i64>,
    pub(super) states: Vec<Option<([u8; Bucket::LEN], i64)>>,
}

#[derive(Clone, Default)]
pub(super) struct Model([Option<Bucket>; KEYS]);

/// Valkey's clock cannot be stopped altogether: between its ticks it counts on by another. There a step
/// may be answered for any one moment this many microseconds around the one that was set.
const VALKEY_RUNS_ON: u64 = 5_000;

// === impl Model ===

impl Model {
    fn answer(&mut self, step: &Step, now: Micros) -> Vec<i64> {
        let buckets = &mut self.0;
        for bucket in buckets.iter_mut() {
            let alive = |bucket: &Bucket| bucket.expires_at_ms() as u64 >= now.get() / 1000;
            *bucket = bucket.filter(alive);
        }
        let level = |bucket, question: &Question| {
            let limit = Limit::parse(&question.capacity, &question.rate).expect("a limit");
            let amount = Cost::parse(question.amount.as_bytes()).expect("an amount");
            (Level::at(bucket, &limit, now), amount)
        };
        let mut answer = Vec::new();
        match step.command {
            Command::CheckAll => {
                let before = *buckets;
                let mut said: Vec<Decision> = Vec::new();
                let mut peeked: Vec<Decision> = Vec::new();
                let mut anchored: Vec<(usize, Option<Bucket>)> = Vec::new();
                for question in &step.questions {
                    let (level, amount) = level(buckets[question.key], question);
                    let step = level.check(amount);
                    said.push(step.decision);
                    peeked.push(level.peek(amount));
                    anchored.push((question.key, level.check(Cost::ZERO).write));
                    buckets[question.key] = step.write.or(buckets[question.key]);
                }
                let denied = said.iter().position(|decision| !decision.is_allowed());
                if denied.is_some() {
                    *buckets = before;
                    said = peeked;
                    for (key, write) in anchored {
                        buckets[key] = write.or(buckets[key]);
                    }
                }
                answer.push(i64::from(denied.is_none()));
                answer.push(denied.map_or(-1, |index| index as i64));
                answer.extend(said.into_iter().flat_map(Decision::to_wire));
            }
            Command::Reset => {
                let dropped = step.questions.iter().filter_map(|q| buckets[q.key].take());
                answer.push(dropped.count() as i64);
            }
            command => {
                for question in &step.questions {
                    let bucket = &mut buckets[question.key];
                    let (level, amount) = level(*bucket, question);
                    let moved = match command {
                        Command::Take => {
                            let (granted, moved) = level.take(amount);
                            answer.push(granted as i64);
                            moved
                        }
                        Command::Refund => level.refund(amount),
                        Command::Charge => level.charge(amount),
                        Command::Peek => {
                            answer.extend(level.peek(amount).to_wire());
                            continue;
                        }
                        _ => level.check(amount),
                    };
                    *bucket = moved.write.or(*bucket);
                    answer.extend(moved.decision.to_wire());
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

    /// Follows what an engine said, if there is a moment at which the bucket itself says it too.
    pub(super) fn follow(&mut self, step: &Step, said: &Outcome) -> Result<(), Outcome> {
        let slack = if Flavour::under_test().is_valkey { VALKEY_RUNS_ON } else { 0 };
        for now in (step.now..=step.now + slack).chain(step.now - slack..step.now) {
            let mut candidate = self.clone();
            let mut outcome = candidate.outcome(step, now);
            // The states were looked at after the answer: a key may have expired in between.
            for (key, held) in said.states.iter().enumerate() {
                let gone_by_then = |bucket: Bucket| {
                    bucket.expires_at_ms().cast_unsigned() < (step.now + slack) / 1000
                };
                if held.is_none() && candidate.0[key].is_some_and(gone_by_then) {
                    candidate.0[key] = None;
                    outcome.states[key] = None;
                }
            }
            if outcome == *said {
                *self = candidate;
                return Ok(());
            }
        }
        Err(self.clone().outcome(step, step.now))
    }
}
