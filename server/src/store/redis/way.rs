//! What the lanes of a worker have in common: whether there is a way to Redis.

use std::{cell::Cell, sync::Arc};

use tokio::sync::Notify;

use super::reach::Reach;
use crate::{settings::Host, status::Serving};

/// A worker's way to Redis.
pub(super) struct Way {
    pub(super) reach: Arc<Reach>,
    /// Lanes that can be asked.
    up: Cell<usize>,
    /// Whether one ever could.
    answered: Cell<bool>,
    /// A lane was lost.
    pub(super) lost: Notify,
}

// === impl Way ===

impl Way {
    pub(super) fn new(reach: Arc<Reach>) -> Self {
        Self { reach, up: Cell::new(0), answered: Cell::new(false), lost: Notify::new() }
    }

    /// A lane came up. The way is open while one is.
    pub(super) fn lane_up(&self, serving: Serving) {
        self.up.set(self.up.get() + 1);
        if self.up.get() == 1 {
            self.reach.status.link_up(serving, !self.answered.replace(true));
        }
    }

    /// A lane that was up is lost.
    pub(super) fn lane_down(&self, host: &Host, reason: &str) {
        self.up.set(self.up.get().saturating_sub(1));
        self.lost.notify_one();
        if self.up.get() == 0 {
            self.reach.status.link_down(reason);
        } else {
            self.reach.status.trouble(&format!("{host} is lost ({reason})"));
        }
    }
}
