//! A share of the worker's time.

use tokio::task::yield_now;

/// The work done for one request since others had a turn on the worker.
#[derive(Debug, Default)]
pub(crate) struct Slice {
    buckets: usize,
}

/// The checks of a batch that are worked on before anything is [spent](Slice::spend).
pub(crate) const CHUNK: usize = 16;
/// The buckets after which others have a turn: about a tenth of a millisecond's work.
const MAX_BUCKETS: usize = 256;

// === impl Slice ===

impl Slice {
    /// Records work on so many buckets, and lets others run if it is enough.
    pub(crate) async fn spend(&mut self, buckets: usize) {
        self.buckets += buckets;
        if self.buckets >= MAX_BUCKETS {
            self.buckets = 0;
            yield_now().await;
        }
    }
}
