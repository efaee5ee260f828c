//! Several checks in one call.

use rl_bucket::{Decision, JointCheck, JointWrite, Micros};

use super::{MemoryStore, SHARDS, shard::Key};
use crate::{BucketRequest, JointDecision, Sharded};

// === impl MemoryStore ===

impl MemoryStore {
    /// Makes independent checks, one after the other, at `now`.
    pub fn check_each(&self, requests: &[BucketRequest<'_>], now: Micros) -> Vec<Decision> {
        self.check_each_with(requests, || now)
    }

    /// [`check_each`](Self::check_each), each at the time that `clock` reads once its bucket is
    /// locked.
    pub fn check_each_with(
        &self,
        requests: &[BucketRequest<'_>],
        clock: impl Fn() -> Micros,
    ) -> Vec<Decision> {
        let check = |r: &BucketRequest<'_>| self.check_with(r.key, &r.limit, r.amount, &clock);
        requests.iter().map(check).collect()
    }

    /// Takes from every bucket at `now`, or from none.
    pub fn check_all(&self, requests: &[BucketRequest<'_>], now: Micros) -> JointDecision {
        self.check_all_with(requests, || now)
    }

    /// [`check_all`](Self::check_all) at the time that `clock` reads once all buckets are locked.
    pub fn check_all_with(
        &self,
        requests: &[BucketRequest<'_>],
        clock: impl FnOnce() -> Micros,
    ) -> JointDecision {
        let keys: Vec<Key<'_>> = requests.iter().map(|request| self.key(request.key)).collect();
        // Every thread locks in the order of the index, so no two wait for each other.
        let mut shards: Vec<usize> = keys.iter().map(|&key| shard_of(key)).collect();
        shards.sort_unstable();
        shards.dedup();
        let mut locked: Vec<_> = shards.iter().map(|&shard| self.buckets.lock_at(shard)).collect();
        let now = clock();

        let mut joint = JointCheck::with_capacity(now, requests.len());
        for (request, key) in requests.iter().zip(keys) {
            let at = shards.partition_point(|&before| before < shard_of(key));
            let read = || locked[at].live(key, now);
            joint.push((at, key), &request.limit, request.amount, read);
        }
        for JointWrite { key: (at, key), bucket, .. } in joint.writes() {
            locked[at].put(key, bucket, now);
        }
        JointDecision { denied: joint.denied(), decisions: joint.decisions().collect() }
    }
}

fn shard_of(key: Key<'_>) -> usize {
    Sharded::<(), SHARDS>::index(key.hash)
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicU64, Ordering},
        thread,
    };

    use rl_bucket::{Cost, Limit, Micros};

    use super::MemoryStore;
    use crate::{BucketRequest, now as system_clock};

    const START: u64 = 1_700_000_000_000_000;
    const SECOND: u64 = 1_000_000;

    /// A request to a bucket of 3 that gains 1 token a second.
    fn request<'a>(key: &'a str, amount: &str) -> BucketRequest<'a> {
        BucketRequest {
            key: key.as_bytes(),
            limit: Limit::parse("3", "1").unwrap(),
            amount: Cost::parse(amount.as_bytes()).unwrap(),
        }
    }

    #[test]
    fn each_check_sees_what_the_one_before_left() {
        let store = MemoryStore::new();
        let checks = [request("a", "2"), request("a", "2"), request("b", "2"), request("a", "1")];
        let decisions = store.check_each(&checks, Micros::new(START));
        let results: Vec<_> = decisions.iter().map(|d| (d.is_allowed(), d.remaining)).collect();
        assert_eq!(results, [(true, 1), (false, 1), (true, 1), (true, 0)]);
        assert!(store.check_each(&[], Micros::new(START)).is_empty());
    }

    #[test]
    fn checks_are_allowed_together_or_not_at_all() {
        for (amounts, denied, remaining) in [
            (vec![("a", "1"), ("b", "3")], None, vec![2, 0]),
            (vec![("a", "1"), ("b", "4")], Some(1), vec![3, 3]),
            (vec![("a", "4"), ("b", "4")], Some(0), vec![3, 3]),
            (vec![("a", "1"), ("a", "2")], None, vec![2, 0]),
            // The second sees what the first would leave; neither takes.
            (vec![("a", "2"), ("a", "2")], Some(1), vec![3, 1]),
            (vec![("a", "2"), ("b", "9"), ("a", "1")], Some(1), vec![3, 3, 1]),
            (vec![], None, vec![]),
        ] {
            let store = MemoryStore::new();
            let requests: Vec<_> = amounts.iter().map(|(key, n)| request(key, n)).collect();
            let answer = store.check_all(&requests, Micros::new(START));
            assert_eq!(answer.denied, denied, "{amounts:?}");
            let results: Vec<_> = answer.decisions.iter().map(|d| d.remaining).collect();
            assert_eq!(results, remaining, "{amounts:?}");
            assert_eq!(store.is_empty(), denied.is_some() || amounts.is_empty(), "{amounts:?}");
        }
    }

    #[test]
    fn a_denial_writes_nothing_but_a_bucket_from_the_future() {
        let store = MemoryStore::new();
        let at = |second| Micros::new(START + second * SECOND);
        let [a, b] = [request("a", "1"), request("b", "2")];
        store.check_each(&[a], at(4));
        store.check_each(&[b], at(10));
        let (past, future) = (store.state(b"a"), store.state(b"b"));

        let answer = store.check_all(&[a, b], at(5));
        assert_eq!(answer.denied, Some(1));
        assert_eq!(store.state(b"a"), past);
        assert_ne!(store.state(b"b"), future);
        // The step back gives no credit, and refill goes on from now.
        assert_eq!(store.peek(b"b", &b.limit, b.amount, at(5)).remaining, 1);
        assert_eq!(store.peek(b"b", &b.limit, b.amount, at(6)).remaining, 2);
    }

    #[test]
    fn parallel_callers_take_from_all_or_none_without_a_deadlock() {
        let store = MemoryStore::new();
        let limit = Limit::parse("1000", "0.000001").unwrap();
        let keys: Vec<String> = (0..20).map(|i| i.to_string()).collect();
        let mut forth: Vec<_> = keys
            .iter()
            .map(|key| BucketRequest { key: key.as_bytes(), limit, amount: Cost::ONE })
            .collect();
        let back: Vec<_> = forth.iter().rev().copied().collect();
        let allowed = AtomicU64::new(0);
        thread::scope(|scope| {
            for requests in [&forth, &back].into_iter().cycle().take(8) {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let answer = store.check_all_with(requests, system_clock);
                        allowed.fetch_add(answer.denied.is_none().into(), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(allowed.into_inner(), 1000);
        forth.iter_mut().for_each(|request| request.amount = Cost::ZERO);
        let left = store.check_each_with(&forth, system_clock);
        assert!(left.iter().all(|decision| decision.remaining == 0), "{left:?}");
    }
}
