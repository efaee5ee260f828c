//! A front under load, a proxy and a Redis, and the promises that hold whatever happens between them.

use std::time::{Duration, Instant};

use rl_tests::{
    CheckRequest, FaultProxy, Front, LimitSource, Load, RedisServer, Setup, eventually,
};

use super::aftermath::{Aftermath, Lag};

/// Short enough that an outage is many of them, long enough that a busy machine meets it when all is well.
pub(super) const DEADLINE: Duration = Duration::from_millis(100);
/// An outage in which everybody meets the deadline many times.
pub(super) const OUTAGE: Duration = Duration::from_millis(1500);
/// Promised are 2 s from when Redis can be used again; a busy machine may take as much on top.
const NORMAL_WITHIN: Duration = Duration::from_secs(4);
pub(super) const SOON: Duration = Duration::from_secs(20);
pub(super) const WORKERS: usize = 2;
const CLIENTS: usize = 6;
/// The bucket that everybody wants: its capacity and rate.
pub(super) const HOT: (u64, &str, f64) = (20, "200/s", 200.0);
/// Buckets to count charges in: far more than is asked for, and refilled too slowly to show. Each has a
/// capacity of its own, so that an answer meant for another would show.
const ROOMY: (u64, &str) = (1_000_000, "1/d");
pub(super) const ROOMY_KEYS: u64 = 8;

/// All of it, at work.
pub(super) struct Rig {
    pub(super) server: RedisServer,
    pub(super) proxy: FaultProxy,
    pub(super) front: Front,
    pub(super) load: Load,
    deadline: Duration,
    lags: Vec<Lag>,
}

/// What becomes of the buckets in a story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Buckets {
    /// Nothing is lost.
    Kept,
    /// At most what happened in the last two seconds before the fault.
    KeptButTheLastTwoSeconds,
    /// All may be full again, once.
    Lost,
}

// === impl Rig ===

impl Rig {
    /// On the module.
    pub(super) fn on_module() -> Self {
        Self::on(Setup::with_module().start(), "module", "", DEADLINE)
    }

    /// On the scripts.
    pub(super) fn on_scripts() -> Self {
        Self::on(Setup::plain().start(), "lua", "", DEADLINE)
    }

    /// On this server and engine, logged in as `login` says (`user:password@`), with this deadline.
    pub(super) fn on(server: RedisServer, engine: &str, login: &str, deadline: Duration) -> Self {
        let proxy = FaultProxy::start(server.port());
        let store = proxy.url().replace("//", &format!("//{login}"));
        let flags = Self::flags(&store, engine, deadline);
        let front = Front::start(&flags.each_ref().map(String::as_str));
        Self::over(front, server, proxy, deadline)
    }

    /// What a front is started with.
    pub(super) fn flags(store: &str, engine: &str, deadline: Duration) -> [String; 8] {
        let (workers, millis) = (WORKERS.to_string(), deadline.as_millis().to_string());
        ["--store", store, "--engine", engine, "--workers", &workers, "--deadline-ms", &millis]
            .map(str::to_owned)
    }

    /// Of a front that was started so, over a store of which `server` is a part and to which it comes
    /// through `proxy`.
    pub(super) fn over(
        front: Front,
        server: RedisServer,
        proxy: FaultProxy,
        deadline: Duration,
    ) -> Self {
        let load = Load::start(&[&front], CLIENTS, |chance| {
            let (key, limits) = match chance.u64(0..ROOMY_KEYS + 3) {
                key if key < ROOMY_KEYS => (roomy(key), roomy_limits(key)),
                _ => ("hot".to_owned(), LimitSource::Inline(HOT.0, HOT.1)),
            };
            CheckRequest { key, limits, cost: 1 }
        });
        load.run_for_answers(200);
        Self { server, proxy, front, load, deadline, lags: Vec::new() }
    }

    /// Does something bad, waits `outage`, makes it good again, waits until all is normal; then checks
    /// what is promised in every such story.
    #[track_caller]
    pub(super) fn endures(
        mut self,
        outage: Duration,
        buckets: Buckets,
        fault: impl FnOnce(&mut Self),
        heal: impl FnOnce(&mut Self),
    ) -> Aftermath {
        let (from, since) = (self.load.now(), Instant::now());
        fault(&mut self);
        self.load.run_for(outage.saturating_sub(since.elapsed()));
        heal(&mut self);
        let to = self.load.now();
        self.is_normal();
        // And goes on to be.
        self.load.run_for_answers(50);
        let Self { server: _server, proxy, front, load, deadline, lags } = self;
        let history = load.finish();

        let mut connects = proxy.connection_times();
        connects.retain(|at| *at > since);
        let during = history.only(|record| record.end >= from && record.start <= to);
        let mut told = Aftermath { history, during, connects, lags, lost: 0 };
        told.everybody_was_answered(deadline);
        told.limits_held(buckets);
        told.charged_at_most_once(&front, from, buckets);
        told.connects_were_few(since.elapsed());
        told
    }

    /// What was decided from `from` to now need not have reached whoever decides next.
    pub(super) fn may_lose_since(&mut self, from: Duration) {
        self.lags.push(from..=self.load.now());
    }

    /// Waits until every link can be asked and checks are decided by Redis again.
    #[track_caller]
    pub(super) fn is_normal(&self) {
        let from = self.load.now();
        eventually("every link is back", NORMAL_WITHIN, || self.front.links() == WORKERS);
        // For longer than a question lasts: nobody is still waiting for an answer that will not come.
        let lasting = 2 * DEADLINE;
        self.load.run_until("checks are decided by Redis again", NORMAL_WITHIN, |records| {
            let now = self.load.now();
            let last = records.iter().rev().take_while(|record| record.end + lasting >= now);
            let (count, normal) = (last.clone().count(), last.filter(|it| it.is_normal()).count());
            now >= from + lasting && count >= 10 && normal == count
        });
    }
}

pub(super) fn roomy(key: u64) -> String {
    format!("roomy{key}")
}

fn roomy_limits(key: u64) -> LimitSource {
    LimitSource::Inline(ROOMY.0 + key, ROOMY.1)
}
