//! The one question: may this key go on now? It finds the limits, asks the store in time, or decides
//! without it.

mod active;
mod resolve;
mod result;

use std::{borrow::Cow, sync::Arc, time::Instant};

use futures_util::future::{join, join_all};
use rl_bucket::{Cost, Decision, Limit, Op};
use rl_store::{
    BucketRequest, Decisions, Store, StoreError, bucket_key::Pseudonyms, memory::MemoryStore, now,
};
use smallvec::smallvec;

use self::resolve::ResolvedCheck;
pub use self::{
    active::{ActivePolicies, ActivePolicy},
    result::CheckResult,
};
use crate::{
    denials::Denials, metrics::Metrics, offenders::Offenders, policy::OnError, reload::Reloadable,
};

/// Answers questions on one worker.
#[derive(Debug)]
pub struct Limiter {
    store: Store,
    shared: Arc<Shared>,
}

/// What the limiters of all workers share.
#[derive(Debug)]
pub struct Shared {
    /// Stands in while Redis cannot answer, so that a front without it still limits.
    pub local: Arc<MemoryStore>,
    /// The limits.
    pub policies: Arc<Reloadable<ActivePolicies>>,
    /// What keys are called in the store, and wherever else they are kept.
    pub pseudonyms: Pseudonyms,
    /// Denials that need not be asked again.
    pub denials: Denials,
    /// Who is denied most.
    pub offenders: Arc<Offenders>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// What a caller asks.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckRequest<'a> {
    /// Whose bucket, 1 to 1024 bytes.
    pub key: Cow<'a, str>,
    /// Under which limits.
    pub source: LimitSource<'a>,
    /// How many tokens it is about.
    pub cost: Cost,
}

/// The limits to apply.
#[derive(Clone, Debug, PartialEq)]
pub enum LimitSource<'a> {
    /// Those configured under this name.
    Policy(Cow<'a, str>),
    /// The one that came with the question.
    Inline(Limit),
}

/// Why a question is not decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimiterError {
    /// No policy has the name that was given.
    UnknownPolicy,
    /// Limits that come with a question are not taken.
    InlineForbidden,
    /// The policy has several limits, and this works with one.
    SeveralLimits,
    /// The store did not do it, for sure.
    NotChanged,
    /// Whether the store did it is not known.
    Unconfirmed,
}

// === impl Limiter ===

impl Limiter {
    /// The limiter of one worker.
    pub fn new(store: Store, shared: Arc<Shared>) -> Self {
        Self { store, shared }
    }

    /// Decides, within the store's deadline.
    pub async fn check(&self, question: &CheckRequest<'_>) -> Result<CheckResult, LimiterError> {
        let policies = self.shared.policies.get();
        if let Store::Memory(memory) = &self.store {
            return self.check_in(memory, &policies, question);
        }
        let case = ResolvedCheck::new(&policies, &self.shared.pseudonyms, question)?;
        drop(policies); // held no longer than needed
        let sent = Instant::now();
        let answer = match self.remembered(&case, sent) {
            Some(decisions) => case.answer(decisions),
            None => {
                let asked = self.ask(&case).await;
                self.asked(case, asked, sent)
            }
        };
        self.count(&question.key, &answer);
        Ok(answer)
    }

    /// Decides each question by itself, in their order; at most 1024, within the store's deadline.
    pub async fn check_each(
        &self,
        questions: &[CheckRequest<'_>],
    ) -> Vec<Result<CheckResult, LimiterError>> {
        let policies = self.shared.policies.get();
        if let Store::Memory(memory) = &self.store {
            let check = |question| self.check_in(memory, &policies, question);
            return questions.iter().map(check).collect();
        }
        let sent = Instant::now();
        let case = |question| ResolvedCheck::new(&policies, &self.shared.pseudonyms, question);
        let cases: Vec<_> = questions.iter().map(case).collect();
        drop(policies); // held no longer than needed
        let remembered =
            cases.iter().map(|case| self.remembered(case.as_ref().ok()?, sent).map(Ok));
        let mut decided: Vec<Option<Result<Decisions, StoreError>>> = remembered.collect();

        let (mut ones, mut requests) =
            (Vec::with_capacity(cases.len()), Vec::with_capacity(cases.len()));
        let mut several = Vec::new();
        for (at, case) in cases.iter().enumerate() {
            let (Ok(case), None) = (case, &decided[at]) else { continue };
            match case.request() {
                Some(request) => {
                    ones.push(at);
                    requests.push(request);
                }
                None => several.push((at, case)),
            }
        }
        // Both kinds are sent before either is waited for.
        let asked = join(
            self.ask_ones(&requests),
            join_all(several.iter().map(|(_, case)| self.ask(case))),
        );
        let (one, many) = asked.await;
        for (at, decision) in ones.into_iter().zip(one) {
            decided[at] = Some(decision.map(|decision| smallvec![decision]));
        }
        for ((at, _), decisions) in several.iter().zip(many) {
            decided[*at] = Some(decisions);
        }

        let results = cases.into_iter().zip(decided).zip(questions);
        results
            .map(|((case, decided), question)| {
                // Every case that is good was decided above.
                let (case, decided) = (case?, decided.ok_or(LimiterError::Unconfirmed)?);
                let answer = self.asked(case, decided, sent);
                self.count(&question.key, &answer);
                Ok(answer)
            })
            .collect()
    }

    /// What a check would be answered now, taking nothing.
    pub async fn peek(&self, question: &CheckRequest<'_>) -> Result<CheckResult, LimiterError> {
        let case = self.case(question)?;
        match self.each(&case, Op::Peek).await {
            Ok(decisions) => Ok(case.answer(decisions)),
            Err(_) => Ok(self.without_store(case, Op::Peek)),
        }
    }

    /// Takes as many whole tokens as there are, at most the cost: how many, and the decision.
    pub async fn take(
        &self,
        question: &CheckRequest<'_>,
    ) -> Result<(u64, CheckResult), LimiterError> {
        let case = self.case(question)?;
        let request = case.request().ok_or(LimiterError::SeveralLimits)?;
        let taken = self.timed(self.store.take(&request)).await;
        let (granted, decision) = taken.unwrap_or_else(|_| {
            case.policy.meters.degraded(case.policy.on_error);
            match case.policy.on_error {
                OnError::Local => self.shared.local.take_with(&request, now),
                OnError::Open => (result::whole(case.cost), result::open(&request.limit)),
                OnError::Closed => (0, result::closed(&request.limit)),
            }
        });
        let answer =
            CheckResult { is_degraded: taken.is_err(), ..case.answer(smallvec![decision]) };
        self.count(&question.key, &answer);
        Ok((granted, answer))
    }

    /// Gives tokens back, up to the capacity of each limit.
    pub async fn refund(&self, question: &CheckRequest<'_>) -> Result<CheckResult, LimiterError> {
        self.change(question, Op::Refund).await
    }

    /// Takes tokens whether they are there or not, down to a debt of one capacity of each limit.
    pub async fn charge(&self, question: &CheckRequest<'_>) -> Result<CheckResult, LimiterError> {
        self.change(question, Op::Charge).await
    }

    /// Fills the buckets of a key: how many were not full.
    pub async fn reset(&self, question: &CheckRequest<'_>) -> Result<u64, LimiterError> {
        let case = self.case(question)?;
        let buckets: Vec<&[u8]> = case.buckets.iter().map(Vec::as_slice).collect();
        let reset = self.timed(self.store.reset(&buckets)).await;
        if let Store::Redis(_) = self.store {
            self.shared.local.reset_with(&buckets, now); // what stood in meanwhile
        }
        self.shared.denials.forget(&case.buckets[0]);
        reset.map_err(not_changed)
    }

    /// A change to every bucket of a question. Unlike a check, it is not made locally while the store is
    /// away: the caller is told, and may ask again.
    async fn change(
        &self,
        question: &CheckRequest<'_>,
        op: Op,
    ) -> Result<CheckResult, LimiterError> {
        let case = self.case(question)?;
        let done = self.each(&case, op).await;
        // Afterwards: a denial that is met in between is from before.
        self.shared.denials.forget(&case.buckets[0]);
        done.map(|decisions| case.answer(decisions)).map_err(not_changed)
    }

    /// The case of a question under the policies in force.
    fn case(&self, question: &CheckRequest<'_>) -> Result<ResolvedCheck, LimiterError> {
        ResolvedCheck::new(&self.shared.policies.get(), &self.shared.pseudonyms, question)
    }

    /// Decides by a store that answers at once, of which nothing is remembered since it is asked sooner.
    fn check_in(
        &self,
        memory: &MemoryStore,
        policies: &ActivePolicies,
        question: &CheckRequest<'_>,
    ) -> Result<CheckResult, LimiterError> {
        let case = ResolvedCheck::new(policies, &self.shared.pseudonyms, question)?;
        let decisions = case.ask_in(memory, Op::Check);
        let answer = case.answer(decisions);
        self.count(&question.key, &answer);
        Ok(answer)
    }

    /// A denial that is known to stand.
    fn remembered(&self, case: &ResolvedCheck, at: Instant) -> Option<Decisions> {
        let found = self.shared.denials.find(&case.buckets[0], &case.limits, case.cost, at)?;
        case.policy.meters.remembered.inc();
        Some(found)
    }

    /// One check.
    async fn ask(&self, case: &ResolvedCheck) -> Result<Decisions, StoreError> {
        if let Some(request) = case.request() {
            let decision = self.timed(self.store.apply(Op::Check, &request)).await?;
            return Ok(smallvec![decision]);
        }
        let all = self.timed(self.store.check_all(&case.requests())).await?;
        Ok(all.decisions.into())
    }

    /// Checks of one limit each, in one round trip.
    async fn ask_ones(&self, requests: &[BucketRequest<'_>]) -> Vec<Result<Decision, StoreError>> {
        if requests.is_empty() {
            return Vec::new();
        }
        match self.timed(self.store.check_each(requests)).await {
            Ok(each) => {
                let decided = |it: Result<Decision, StoreError>| {
                    it.inspect_err(|reason| self.shared.metrics.unavailable(*reason))
                };
                each.into_iter().map(decided).collect()
            }
            Err(reason) => vec![Err(reason); requests.len()],
        }
    }

    /// What is answered to a check that was `sent` then.
    fn asked(
        &self,
        case: ResolvedCheck,
        asked: Result<Decisions, StoreError>,
        sent: Instant,
    ) -> CheckResult {
        let Ok(decisions) = asked else { return self.without_store(case, Op::Check) };
        if decisions.iter().any(|decision| !decision.is_allowed()) {
            let bucket = &case.buckets[0];
            self.shared.denials.remember(bucket, &case.limits, case.cost, &decisions, sent);
        }
        case.answer(decisions)
    }

    /// The same with every bucket of the case, all at once.
    async fn each(&self, case: &ResolvedCheck, op: Op) -> Result<Decisions, StoreError> {
        if let Some(request) = case.request() {
            let decision = self.timed(self.store.apply(op, &request)).await?;
            return Ok(smallvec![decision]);
        }
        let requests = case.requests();
        let each = requests.iter().map(|request| self.store.apply(op, request));
        // All of them, whatever becomes of one.
        self.timed(async { join_all(each).await.into_iter().collect() }).await
    }

    /// One question to the store, its time and its failure counted.
    async fn timed<T>(
        &self,
        asking: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        if matches!(self.store, Store::Memory(_)) {
            return asking.await;
        }
        let sent = Instant::now();
        let answer = asking.await;
        if let Err(reason) = answer {
            self.shared.metrics.unavailable(reason);
        }
        // Without a connection nothing was sent: that it took no time would hide the slow ones.
        if !matches!(answer, Err(StoreError::Down | StoreError::Shed)) {
            self.shared.metrics.store_seconds.observe(sent.elapsed().as_secs_f64());
        }
        answer
    }

    /// What the policy says to do when the store has not decided a check or a peek.
    fn without_store(&self, case: ResolvedCheck, op: Op) -> CheckResult {
        case.policy.meters.degraded(case.policy.on_error);
        let limits = case.limits.iter().map(|limit| &limit.limit);
        let decisions = match case.policy.on_error {
            OnError::Open => limits.map(result::open).collect(),
            OnError::Closed => limits.map(result::closed).collect(),
            OnError::Local => case.ask_in(&self.shared.local, op),
        };
        CheckResult { is_degraded: true, ..case.answer(decisions) }
    }

    /// Counts a check or a take.
    fn count(&self, key: &str, answer: &CheckResult) {
        let meters = &answer.policy.meters;
        let deciding = answer.deciding();
        let counter = match deciding.outcome {
            rl_bucket::Outcome::Allowed => &meters.allowed,
            _ if answer.policy.is_shadow => &meters.would_deny,
            rl_bucket::Outcome::NotYet { .. } => &meters.denied,
            rl_bucket::Outcome::Never => &meters.never,
        };
        counter.inc();
        if !deciding.is_allowed() {
            self.shared.offenders.denied(answer.policy.name(), &self.shared.pseudonyms.of(key));
        }
    }
}

/// What is told of a change that the store did not confirm.
fn not_changed(reason: StoreError) -> LimiterError {
    match reason {
        StoreError::Down | StoreError::Shed => LimiterError::NotChanged,
        StoreError::Late | StoreError::Failed => LimiterError::Unconfirmed,
    }
}

#[cfg(test)]
mod tests;
