//! What all connections of a worker have in common: settings, and to whom it is told how they are.

use std::{cell::Cell, sync::Arc, time::Duration};

use actix_web::rt::task::spawn_blocking;

use tokio::sync::Notify;

use super::{fault::Fault, tls::Tls, wire::Wire};
use crate::{
    settings::{EngineChoice, Host, RedisSettings, Topology},
    status::{Serving, Status},
};

/// How a worker reaches Redis.
pub(super) struct Way {
    pub(super) settings: RedisSettings,
    pub(super) engine: EngineChoice,
    /// Of a check.
    pub(super) deadline: Duration,
    pub(super) status: Arc<Status>,
    /// Lanes that can be asked.
    up: Cell<usize>,
    /// Whether one ever could.
    answered: Cell<bool>,
    /// A lane was lost.
    pub(super) lost: Notify,
}

/// What is read from files, as it is now.
pub(super) struct Secrets {
    pub(super) password: Option<String>,
    pub(super) sentinel_password: Option<String>,
    pub(super) tls: Option<Tls>,
}

// === impl Way ===

impl Way {
    pub(super) fn new(
        settings: RedisSettings,
        engine: EngineChoice,
        deadline: Duration,
        status: Arc<Status>,
    ) -> Self {
        let (up, answered, lost) = (Cell::new(0), Cell::new(false), Notify::new());
        Self { settings, engine, deadline, status, up, answered, lost }
    }

    /// Reads the files. They may lie on a network: it is done on a thread that may wait.
    pub(super) async fn secrets(&self) -> Result<Secrets, Fault> {
        let settings = self.settings.clone();
        let read = spawn_blocking(move || {
            Ok::<_, String>(Secrets {
                password: settings.password()?,
                sentinel_password: settings.sentinel_password()?,
                tls: settings.tls.as_ref().map(Tls::read).transpose()?,
            })
        });
        let read = read.await.unwrap_or_else(|_| Err("files were not read".to_owned()));
        read.map_err(Fault::Refused)
    }

    /// Whether a password may change, without a restart.
    pub(super) fn has_files(&self) -> bool {
        self.settings.password_file.is_some()
    }

    /// Connects to a server and logs in.
    pub(super) async fn connect(&self, host: &Host, secrets: &Secrets) -> Result<Wire, Fault> {
        let wire = Wire::connect(host, secrets.tls.as_ref()).await?;
        let address = &self.settings.address;
        let (user, password) = (address.user.as_deref(), secrets.password.as_deref());
        wire.log_in(user, password, address.db).await?;
        Ok(wire)
    }

    /// Whether the servers are nodes of a cluster.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.settings.address.topology, Topology::Cluster(_))
    }

    /// A lane came up. The way is open while one is.
    pub(super) fn lane_up(&self, serving: Serving) {
        self.up.set(self.up.get() + 1);
        if self.up.get() == 1 {
            self.status.link_up(serving, !self.answered.replace(true));
        }
    }

    /// A lane that was up is lost.
    pub(super) fn lane_down(&self, host: &Host, reason: &str) {
        self.up.set(self.up.get().saturating_sub(1));
        self.lost.notify_one();
        if self.up.get() == 0 {
            self.status.link_down(reason);
        } else {
            self.status.trouble(&format!("{host} is lost ({reason})"));
        }
    }
}
