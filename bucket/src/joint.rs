//! Checks that are allowed together or not at all.

use std::convert::Infallible;

use crate::{Bucket, Cost, Decision, Level, Limit, Micros, Step};

/// Several checks at one moment: either all are allowed, or nothing is taken.
///
/// `K` names a bucket. Buckets are read while checks are pushed and written once all are decided.
///
/// ```
/// use std::collections::HashMap;
///
/// use rl_bucket::{Bucket, Cost, JointCheck, JointWrite, Limit, Micros};
///
/// let mut buckets: HashMap<&str, Bucket> = HashMap::new();
/// let now = Micros::new(1_700_000_000_000_000);
///
/// let mut joint = JointCheck::with_capacity(now, 2);
/// for (key, capacity, rate) in [("second", "2", "2/s"), ("day", "1000", "1000/d")] {
///     let limit = Limit::parse(capacity, rate).unwrap();
///     joint.push(key, &limit, Cost::ONE, || buckets.get(key).copied());
/// }
/// assert_eq!(joint.denied(), None);
/// for JointWrite { key, bucket, .. } in joint.writes() {
///     buckets.insert(key, bucket);
/// }
/// assert_eq!(buckets.len(), 2);
/// ```
#[derive(Clone, Debug)]
pub struct JointCheck<K> {
    now: Micros,
    checks: Vec<Check<K>>,
    denied: Option<usize>,
}

/// A state to store.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointWrite<K> {
    /// The name of the bucket.
    pub key: K,
    /// The state that this one replaces, after the writes before it.
    pub stored: Option<Bucket>,
    /// The state to store.
    pub bucket: Bucket,
}

/// A check and its step, which holds only if no check is denied.
#[derive(Clone, Copy, Debug)]
struct Check<K> {
    key: K,
    cost: Cost,
    level: Level,
    step: Step,
}

// === impl JointCheck ===

impl<K: Copy + PartialEq> JointCheck<K> {
    /// No checks yet, and room for `capacity` of them.
    #[inline]
    pub fn with_capacity(now: Micros, capacity: usize) -> Self {
        Self { now, checks: Vec::with_capacity(capacity), denied: None }
    }

    /// Decides a check of `cost` from the bucket `key`, which `read` reads.
    ///
    /// A bucket that was checked before is not read again: this check sees the state that the
    /// check before it would leave.
    #[inline]
    pub fn push(
        &mut self,
        key: K,
        limit: &Limit,
        cost: Cost,
        read: impl FnOnce() -> Option<Bucket>,
    ) {
        let Ok(()) = self.try_push(key, limit, cost, || Ok::<_, Infallible>(read()));
    }

    /// [`push`](Self::push) with a `read` that may fail. Its error adds no check.
    #[inline]
    pub fn try_push<E>(
        &mut self,
        key: K,
        limit: &Limit,
        cost: Cost,
        read: impl FnOnce() -> Result<Option<Bucket>, E>,
    ) -> Result<(), E> {
        let stored = match self.checks.iter().rfind(|check| check.key == key) {
            Some(earlier) => earlier.left(),
            None => read()?,
        };
        let level = Level::at(stored, limit, self.now);
        let step = level.check(cost);
        if self.denied.is_none() && !step.decision.is_allowed() {
            self.denied = Some(self.checks.len());
        }
        self.checks.push(Check { key, cost, level, step });
        Ok(())
    }

    /// The index of the first check that was denied; `None` if all were allowed.
    #[inline]
    pub fn denied(&self) -> Option<usize> {
        self.denied
    }

    /// The decision of each check, in order. After a denial, each is a peek: the decision that the
    /// check would meet alone.
    #[inline]
    pub fn decisions(&self) -> impl ExactSizeIterator<Item = Decision> {
        self.checks.iter().map(|check| match self.denied {
            None => check.step.decision,
            Some(_) => check.level.peek(check.cost),
        })
    }

    /// The states to store, in order. After a denial, only buckets from the future are written:
    /// they are moved to `now`, and nothing is taken.
    #[inline]
    pub fn writes(&self) -> impl Iterator<Item = JointWrite<K>> {
        self.checks.iter().filter_map(|check| {
            let write = match self.denied {
                None => check.step.write,
                Some(_) => check.level.check(Cost::ZERO).write,
            };
            let (key, stored) = (check.key, check.level.stored());
            write.map(|bucket| JointWrite { key, stored, bucket })
        })
    }
}

// === impl Check ===

impl<K> Check<K> {
    /// The state after this check.
    #[inline]
    fn left(&self) -> Option<Bucket> {
        self.step.write.or(self.level.stored())
    }
}

#[cfg(test)]
mod tests {
    use super::JointCheck;
    use crate::{Bucket, Cost, Decision, Level, Limit, Micros};

    const NOW: Micros = Micros::new(1_700_000_000_000_000);
    const LATER: Micros = Micros::new(1_700_000_004_000_000);

    /// Three tokens, and one more a second.
    fn three() -> Limit {
        Limit::parse("3", "1").unwrap()
    }

    fn cost(text: &str) -> Cost {
        Cost::parse(text.as_bytes()).unwrap()
    }

    /// A bucket that held three tokens and gave `text` of them away.
    fn bucket(text: &str, now: Micros) -> Bucket {
        Level::at(None, &three(), now).check(cost(text)).write.unwrap()
    }

    #[test]
    fn all_or_nothing() {
        for (checks, denied, remaining) in [
            (vec![("a", "1"), ("b", "3")], None, vec![2, 0]),
            (vec![("a", "1"), ("b", "4")], Some(1), vec![3, 3]),
            (vec![("a", "4"), ("b", "4")], Some(0), vec![3, 3]),
            (vec![("a", "1"), ("a", "2")], None, vec![2, 0]),
            // The second sees the state that the first would leave; neither takes.
            (vec![("a", "2"), ("a", "2")], Some(1), vec![3, 1]),
            (vec![("a", "2"), ("b", "9"), ("a", "1")], Some(1), vec![3, 3, 1]),
            // A denied check leaves the bucket to the next.
            (vec![("a", "2"), ("a", "9"), ("a", "1")], Some(1), vec![3, 1, 1]),
            (vec![], None, vec![]),
        ] {
            let mut joint = JointCheck::with_capacity(NOW, checks.len());
            for &(key, amount) in &checks {
                joint.push(key, &three(), cost(amount), || None);
            }
            assert_eq!(joint.denied(), denied, "{checks:?}");
            let shown: Vec<_> = joint.decisions().map(|decision| decision.remaining).collect();
            assert_eq!(shown, remaining, "{checks:?}");
            let written: Vec<_> = joint.writes().map(|write| write.key).collect();
            let all: Vec<_> = checks.iter().map(|(key, _)| *key).collect();
            assert_eq!(written, if denied.is_none() { all } else { vec![] }, "{checks:?}");
        }
    }

    #[test]
    fn each_write_replaces_the_state_that_its_check_saw() {
        let stored = Some(bucket("1", NOW));
        let mut joint = JointCheck::with_capacity(NOW, 3);
        joint.push("a", &three(), Cost::ONE, || stored);
        joint.push("a", &three(), Cost::ZERO, || panic!("it is read once"));
        joint.push("a", &three(), Cost::ONE, || panic!("it is read once"));
        // The free check writes nothing.
        let [first, last] = joint.writes().collect::<Vec<_>>().try_into().unwrap();
        assert_eq!((first.stored, first.bucket.tokens), (stored, 1.0));
        assert_eq!((last.stored, last.bucket.tokens), (Some(first.bucket), 0.0));
    }

    #[test]
    fn one_bucket_under_two_limits() {
        let two = Limit::parse("2", "1").unwrap();
        let mut joint = JointCheck::with_capacity(NOW, 2);
        joint.push("a", &three(), Cost::ONE, || None);
        joint.push("a", &two, Cost::ONE, || None);
        let shown: Vec<_> = joint.decisions().map(Decision::to_wire).collect();
        assert_eq!(shown, [[1, 3, 2, 0, 1000], [1, 2, 1, 0, 1000]]);
    }

    #[test]
    fn a_denial_writes_nothing_but_brings_a_bucket_back_from_the_future() {
        let (past, future) = (bucket("1", NOW), bucket("2", LATER));
        let mut joint = JointCheck::with_capacity(NOW, 3);
        joint.push("past", &three(), Cost::ONE, || Some(past));
        joint.push("future", &three(), Cost::ONE, || Some(future));
        joint.push("future", &three(), Cost::ONE, || panic!("it is read once"));
        assert_eq!(joint.denied(), Some(2));
        let [moved] = joint.writes().collect::<Vec<_>>().try_into().unwrap();
        assert_eq!((moved.key, moved.stored), ("future", Some(future)));
        assert_eq!((moved.bucket.tokens, moved.bucket.ts), (1.0, NOW.as_f64()));
    }

    #[test]
    fn a_bucket_that_cannot_be_read_is_not_checked() {
        let mut joint = JointCheck::with_capacity(NOW, 2);
        assert_eq!(joint.try_push("a", &three(), Cost::ONE, || Err("foreign")), Err("foreign"));
        joint.push("b", &three(), Cost::ONE, || None);
        assert_eq!(joint.writes().map(|write| write.key).collect::<Vec<_>>(), ["b"]);
    }
}
