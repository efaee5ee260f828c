//! The threads that send requests. Each has its own connections and counts; they share the
//! schedule.

use std::{
    io, mem,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use tokio::{
    runtime,
    sync::{mpsc, watch},
    task::LocalSet,
    time::sleep,
};

use super::{
    http::FrontSender,
    plan::{LoadPlan, LoadTarget},
    redis::RedisSender,
    stats::{CheckCounts, LoadStats, RequestError},
};

/// A thread that sends requests.
#[derive(Debug)]
pub(super) struct LoadThread {
    counters: Arc<Counters>,
}

/// The counters of one thread, which the main thread reads.
#[derive(Debug)]
struct Counters {
    stats: Mutex<LoadStats>,
    /// Time in which the thread was not idle.
    busy: Mutex<Duration>,
}

/// A sender of one request at a time.
enum Sender {
    Front(FrontSender),
    Redis(RedisSender),
}

/// The pause after an error, so that a target that is down is not called in a tight loop.
const PAUSE: Duration = Duration::from_millis(50);

// === impl LoadThread ===

impl LoadThread {
    /// Starts the n-th thread. It connects, sends a message to `ready`, waits for `go`, and drops
    /// `ready` when it is done.
    pub(super) fn start(
        plan: &Arc<LoadPlan>,
        n: usize,
        ready: mpsc::UnboundedSender<()>,
        go: watch::Receiver<bool>,
    ) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let (stats, busy) = (Mutex::new(LoadStats::new()), Mutex::default());
        let counters = Arc::new(Counters { stats, busy });
        let (plan, thread) = (Arc::clone(plan), Self { counters: Arc::clone(&counters) });
        thread::Builder::new().name(format!("bench-{n}")).spawn(move || {
            LocalSet::new().block_on(&runtime, run(&plan, n, &counters, &ready, go));
        })?;
        Ok(thread)
    }

    /// Takes the counts since the last call.
    pub(super) fn take(&self) -> LoadStats {
        let mut stats = self.counters.stats.lock().unwrap_or_else(PoisonError::into_inner);
        mem::replace(&mut *stats, LoadStats::new())
    }

    /// Time in which the thread was not idle. Known once it is done.
    pub(super) fn busy(&self) -> Duration {
        *self.counters.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn run(
    plan: &Arc<LoadPlan>,
    n: usize,
    counters: &Arc<Counters>,
    ready: &mpsc::UnboundedSender<()>,
    mut go: watch::Receiver<bool>,
) {
    let senders = connect(plan, n).await;
    let _ = ready.send(());
    let _ = go.wait_for(|go| *go).await;
    let busy = || runtime::Handle::current().metrics().worker_total_busy_duration(0);
    let before = busy();
    let tasks = senders.into_iter().map(|sender| {
        let (plan, counters) = (Arc::clone(plan), Arc::clone(counters));
        tokio::task::spawn_local(async move { send_all(&plan, sender, &counters.stats).await })
    });
    join_all(tasks).await;
    *counters.busy.lock().unwrap_or_else(PoisonError::into_inner) = busy() - before;
}

/// Opens the n-th thread's share of the connections.
async fn connect(plan: &LoadPlan, n: usize) -> Vec<Sender> {
    let share = plan.connections / plan.threads + usize::from(n < plan.connections % plan.threads);
    match &plan.target {
        LoadTarget::Front(load) => {
            let senders = (0..share).map(async |_| {
                let mut sender = FrontSender::new(load);
                sender.open().await;
                Sender::Front(sender)
            });
            join_all(senders).await
        }
        LoadTarget::Redis(load) => {
            let clients = join_all((0..share).map(|_| load.open())).await;
            // Senders of one client are far apart, so that few requests use all connections.
            let in_turn = (0..plan.pipeline).flat_map(|_| clients.iter());
            in_turn.map(|client| Sender::Redis(load.sender(client))).collect()
        }
    }
}

/// Sends requests, one at a time, until the schedule is stopped.
async fn send_all(plan: &LoadPlan, mut sender: Sender, stats: &Mutex<LoadStats>) {
    let checks = plan.batch as u64;
    while let Some(request) = plan.schedule.next().await {
        let first = request.number * checks;
        let numbers = (first..first + checks).map(|check| plan.keyspace.pick(check));
        let result = sender.send(numbers).await;
        let latency = Instant::now().saturating_duration_since(request.due_at);
        let has_failed = result.is_err();
        stats.lock().unwrap_or_else(PoisonError::into_inner).record(result, checks, latency);
        if has_failed {
            sleep(PAUSE).await;
        }
    }
}

// === impl Sender ===

impl Sender {
    async fn send(
        &mut self,
        numbers: impl IntoIterator<Item = u64>,
    ) -> Result<CheckCounts, RequestError> {
        match self {
            Self::Front(sender) => sender.send(numbers).await,
            Self::Redis(sender) => sender.send(numbers).await,
        }
    }
}
