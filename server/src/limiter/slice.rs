//! A share of the worker's time.

use tokio::task::yield_now;

/// The work done for one request since others had a turn on the worker.
#[derive(Debug, Default)]
pub(super) struct Slice {
    buckets: usize,
}

/// The buckets after which others have a turn: well below a tenth of a millisecond's work.
const MAX_BUCKETS: usize = 256;

// === impl Slice ===

impl Slice {
    /// Records work on so many buckets, and lets others run if it is enough.
    pub(super) async fn spend(&mut self, buckets: usize) {
        self.buckets += buckets;
        if self.buckets >= MAX_BUCKETS {
            self.buckets = 0;
            yield_now().await;
        }
    }
}
