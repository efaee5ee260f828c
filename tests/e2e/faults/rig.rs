//! A front under load, a proxy and a Redis, and the promises that hold whatever happens to them.

use std::time::{Duration, Instant};

use rl_tests::{
    CheckRequest, FaultProxy, Front, LimitSource, Load, RedisServer, Setup, eventually,
};

use super::aftermath::{Aftermath, Lag};

/// Short enough that an outage lasts many deadlines, long enough that a busy machine meets it when
/// nothing is wrong.
pub(super) const DEADLINE: Duration = Duration::from_millis(100);
/// Long enough that every client meets the deadline many times.
pub(super) const OUTAGE: Duration = Duration::from_millis(1500);
/// The promise is 2 s from when Redis can be used again; a busy machine may take as long on top.
const NORMAL_WITHIN: Duration = Duration::from_secs(4);
pub(super) const SOON: Duration = Duration::from_secs(20);
pub(super) const WORKERS: usize = 2;
const CLIENTS: usize = 6;
/// The bucket that all clients empty: its capacity and rate.
pub(super) const HOT: (u64, &str, f64) = (20, "200/s", 200.0);
/// Buckets to count charges in: they hold far more than is asked for, and refill too slowly to
/// show. Each has its own capacity, so that an answer meant for another bucket would show.
const ROOMY: (u64, &str) = (1_000_000, "1/d");
pub(super) const ROOMY_KEYS: u64 = 8;

/// A front under load, with a proxy between it and its Redis.
pub(super) struct Rig {
    pub(super) server: RedisServer,
    pub(super) proxy: FaultProxy,
    pub(super) front: Front,
    pub(super) load: Load,
    deadline: Duration,
    lags: Vec<Lag>,
}

/// The loss of buckets that a fault may cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Buckets {
    /// Nothing is lost.
    Kept,
    /// At most the last two seconds before the fault are lost.
    KeptButTheLastTwoSeconds,
    /// All buckets may be full again, once.
    Lost,
}

// === impl Rig ===

impl Rig {
    /// A rig on the module.
    pub(super) fn on_module() -> Self {
        Self::on(Setup::with_module().start(), "module", "", DEADLINE)
    }

    /// A rig on the scripts.
    pub(super) fn on_scripts() -> Self {
        Self::on(Setup::plain().start(), "lua", "", DEADLINE)
    }

    /// A rig on this server and engine. `login` is empty or `user:password@`.
    pub(super) fn on(server: RedisServer, engine: &str, login: &str, deadline: Duration) -> Self {
        let proxy = FaultProxy::start(server.port());
        let store = proxy.url().replace("//", &format!("//{login}"));
        let flags = Self::flags(&store, engine, deadline);
        let front = Front::start(&flags.each_ref().map(String::as_str));
        Self::over(front, server, proxy, deadline)
    }

    /// The flags of the front.
    pub(super) fn flags(store: &str, engine: &str, deadline: Duration) -> [String; 8] {
        let (workers, millis) = (WORKERS.to_string(), deadline.as_millis().to_string());
        ["--store", store, "--engine", engine, "--workers", &workers, "--deadline-ms", &millis]
            .map(str::to_owned)
    }

    /// A rig of a front that was started with such flags. `server` is part of its store, and it
    /// connects through `proxy`.
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

    /// Causes a fault, waits `outage`, heals it and waits until all is normal; then checks the
    /// promises that hold for every fault.
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
        // And stays normal.
        self.load.run_for_answers(50);
        let Self { server: _server, proxy, front, load, deadline, lags } = self;
        let history = load.finish();

        let mut connects = proxy.connection_times();
        connects.retain(|at| *at > since);
        let during = history.only(|record| record.end >= from && record.start <= to);
        let mut aftermath = Aftermath { history, during, connects, lags, lost_tokens: 0 };
        aftermath.every_answer_was_in_time(deadline);
        aftermath.limits_held(buckets);
        aftermath.charged_at_most_once(&front, from, buckets);
        aftermath.connects_were_few(since.elapsed());
        aftermath
    }

    /// Declares a lag: decisions from `from` to now may be missing on the server that takes over.
    pub(super) fn may_lose_since(&mut self, from: Duration) {
        self.lags.push(from..=self.load.now());
    }

    /// Waits until every connection is up and checks are decided by Redis again.
    #[track_caller]
    pub(super) fn is_normal(&self) {
        let from = self.load.now();
        eventually("every connection is back", NORMAL_WITHIN, || self.front.links() == WORKERS);
        // Longer than any check takes: no client still waits for an answer that will not come.
        let window = 2 * DEADLINE;
        self.load.run_until("checks are decided by Redis again", NORMAL_WITHIN, |records| {
            let now = self.load.now();
            let last = records.iter().rev().take_while(|record| record.end + window >= now);
            let (count, normal) = (last.clone().count(), last.filter(|it| it.is_normal()).count());
            now >= from + window && count >= 10 && normal == count
        });
    }
}

pub(super) fn roomy(key: u64) -> String {
    format!("roomy{key}")
}

fn roomy_limits(key: u64) -> LimitSource {
    LimitSource::Inline(ROOMY.0 + key, ROOMY.1)
}
