//! The threads that ask. Each has its own connections and its own sums, which are fetched from it now and
//! then; what they share is which request is next.

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
    http,
    keys::Keys,
    load::Load,
    redis,
    tally::{Answer, Tally, Trouble},
};

/// What all threads know.
pub(super) struct Bench {
    pub(super) target: Target,
    pub(super) keys: Keys,
    pub(super) load: Load,
    /// Checks in a request.
    pub(super) batch: usize,
    pub(super) connections: usize,
    /// Requests in flight on each.
    pub(super) pipeline: usize,
    pub(super) threads: usize,
}

/// Whom to ask.
pub(super) enum Target {
    Front(Box<http::Site>),
    Redis(Box<redis::Site>),
}

/// One of the threads.
#[derive(Debug)]
pub(super) struct Worker {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    tally: Mutex<Tally>,
    /// How long the thread had something to do.
    busy: Mutex<Duration>,
}

/// Who sends one request at a time.
enum Sender {
    Front(http::Connection),
    Redis(redis::Lane),
}

/// After an error, so that what cannot be reached is not asked in a tight loop.
const PAUSE: Duration = Duration::from_millis(50);

// === impl Worker ===

impl Worker {
    /// Starts the n-th thread. It connects, says so in `ready`, and waits for `go`; `ready` is dropped
    /// when it is done.
    pub(super) fn start(
        bench: &Arc<Bench>,
        n: usize,
        ready: mpsc::UnboundedSender<()>,
        go: watch::Receiver<bool>,
    ) -> io::Result<Self> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = Arc::new(Shared { tally: Mutex::new(Tally::new()), busy: Mutex::default() });
        let (bench, worker) = (Arc::clone(bench), Self { shared: Arc::clone(&shared) });
        thread::Builder::new().name(format!("bench-{n}")).spawn(move || {
            LocalSet::new().block_on(&runtime, bench.work(n, &shared, &ready, go));
        })?;
        Ok(worker)
    }

    /// What came since it was last asked.
    pub(super) fn take(&self) -> Tally {
        let mut tally = self.shared.tally.lock().unwrap_or_else(PoisonError::into_inner);
        mem::replace(&mut *tally, Tally::new())
    }

    /// How long it had something to do, once it is done.
    pub(super) fn busy(&self) -> Duration {
        *self.shared.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Bench ===

impl Bench {
    async fn work(
        self: &Arc<Self>,
        n: usize,
        shared: &Arc<Shared>,
        ready: &mpsc::UnboundedSender<()>,
        mut go: watch::Receiver<bool>,
    ) {
        let senders = self.connect(n).await;
        let _ = ready.send(());
        let _ = go.wait_for(|go| *go).await;
        let busy = || runtime::Handle::current().metrics().worker_total_busy_duration(0);
        let before = busy();
        let tasks = senders.into_iter().map(|sender| {
            let (bench, shared) = (Arc::clone(self), Arc::clone(shared));
            tokio::task::spawn_local(async move { bench.send(sender, &shared.tally).await })
        });
        join_all(tasks).await;
        *shared.busy.lock().unwrap_or_else(PoisonError::into_inner) = busy() - before;
    }

    /// The n-th thread's share of the connections.
    async fn connect(&self, n: usize) -> Vec<Sender> {
        let share =
            self.connections / self.threads + usize::from(n < self.connections % self.threads);
        match &self.target {
            Target::Front(site) => {
                let connections = (0..share).map(async |_| {
                    let mut connection = http::Connection::new(site);
                    connection.open().await;
                    Sender::Front(connection)
                });
                join_all(connections).await
            }
            Target::Redis(site) => {
                let lines = join_all((0..share).map(|_| site.open())).await;
                // First one lane of each, then the next: so all are used, however few are needed.
                let lanes = (0..self.pipeline).flat_map(|_| lines.iter());
                lanes.map(|line| Sender::Redis(site.lane(line))).collect()
            }
        }
    }

    /// Sends requests, one after the other, until it is over.
    async fn send(&self, mut sender: Sender, tally: &Mutex<Tally>) {
        let checks = self.batch as u64;
        while let Some(ticket) = self.load.next().await {
            let first = ticket.number * checks;
            let numbers = (first..first + checks).map(|check| self.keys.pick(check));
            let result = sender.ask(numbers).await;
            let latency = Instant::now().saturating_duration_since(ticket.since);
            let failed = result.is_err();
            tally.lock().unwrap_or_else(PoisonError::into_inner).record(result, checks, latency);
            if failed {
                sleep(PAUSE).await;
            }
        }
    }
}

// === impl Sender ===

impl Sender {
    async fn ask(&mut self, numbers: impl IntoIterator<Item = u64>) -> Result<Answer, Trouble> {
        match self {
            Self::Front(connection) => connection.ask(numbers).await,
            Self::Redis(lane) => lane.ask(numbers).await,
        }
    }
}
