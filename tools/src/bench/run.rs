//! A run from the first connection to the last answer.

use std::{
    io,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use tokio::{
    select,
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, watch},
    time::{interval_at, sleep_until},
};

use super::{plan::LoadPlan, progress::Progress, stats::LoadStats, thread::LoadThread};

/// A run that is over.
pub(super) struct LoadRun {
    pub(super) plan: Arc<LoadPlan>,
    pub(super) stats: LoadStats,
    /// The time in which requests were sent.
    pub(super) elapsed: Duration,
    /// Whether a signal ended it early.
    pub(super) is_interrupted: bool,
    /// Time in which the busiest thread was not idle.
    pub(super) busy: Duration,
}

/// SIGINT and SIGTERM, which end a run early.
pub(super) struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

const SECOND: Duration = Duration::from_secs(1);

// === impl LoadRun ===

impl LoadRun {
    /// Connects, sends requests for `duration` or until a signal, and waits for the last answers. A
    /// second signal ends that wait.
    pub(super) async fn execute(
        plan: Arc<LoadPlan>,
        duration: Duration,
        mut signals: StopSignals,
    ) -> io::Result<Self> {
        // Each thread sends one message once it is connected; the channel closes when all are done.
        let (ready, mut ready_or_done) = mpsc::unbounded_channel();
        let (go, go_signal) = watch::channel(false);
        let threads = (0..plan.threads)
            .map(|n| LoadThread::start(&plan, n, ready.clone(), go_signal.clone()))
            .collect::<io::Result<Vec<_>>>()?;
        drop(ready);
        for _ in &threads {
            ready_or_done.recv().await;
        }

        let start = Instant::now();
        plan.schedule.start(start);
        let _ = go.send(true);
        thread::spawn({
            let plan = Arc::clone(&plan);
            move || plan.schedule.pace()
        });
        let mut stats = LoadStats::new();
        let mut progress = Progress::on_stderr();
        let mut seconds = interval_at((start + SECOND).into(), SECOND);
        let (mut last_shown, mut elapsed, mut is_interrupted) = (start, None, false);
        loop {
            select! {
                _ = ready_or_done.recv() => break,
                _ = seconds.tick() => {
                    let now = Instant::now();
                    let recent = take(&threads);
                    progress.show(now - start, now - last_shown, &recent);
                    stats.add(&recent);
                    last_shown = now;
                }
                () = sleep_until((start + duration).into()), if elapsed.is_none() => {
                    // A rate plans for exactly `duration`, even if the timer is late.
                    let is_planned = plan.schedule.has_rate();
                    let sent_for = if is_planned { duration } else { start.elapsed() };
                    plan.schedule.stop(sent_for);
                    elapsed = Some(sent_for);
                }
                // The first signal stops sending, the second also the wait for answers in flight.
                () = signals.next() => {
                    is_interrupted = true;
                    if elapsed.is_some() {
                        break;
                    }
                    plan.schedule.stop(start.elapsed());
                    elapsed = Some(start.elapsed());
                }
            }
        }
        progress.clear();
        let elapsed = elapsed.unwrap_or_else(|| start.elapsed());
        stats.add(&take(&threads));
        let busy = threads.iter().map(LoadThread::busy).max().unwrap_or_default();
        Ok(Self { plan, stats, elapsed, is_interrupted, busy })
    }
}

/// Takes the counts of all threads since the last time.
fn take(threads: &[LoadThread]) -> LoadStats {
    let mut stats = LoadStats::new();
    for thread in threads {
        stats.add(&thread.take());
    }
    stats
}

// === impl StopSignals ===

impl StopSignals {
    pub(super) fn new() -> io::Result<Self> {
        let (interrupt, terminate) = (SignalKind::interrupt(), SignalKind::terminate());
        Ok(Self { interrupt: signal(interrupt)?, terminate: signal(terminate)? })
    }

    async fn next(&mut self) {
        select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
