//! The faults, and how each is injected and healed.

use std::time::Duration;

use fastrand::Rng;
use redis::Value;
use rl_tests::{Fault, Front, RedisServer};

use crate::topology::Topology;

/// A kind of fault. It hits a primary unless its description names something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// The server is killed: nothing is saved and no peer is notified.
    Kill,
    /// The server is stopped, like a machine that hangs, and then continues.
    Stop,
    /// Requests to the server arrive late.
    HoldRequests,
    /// Replies of the server arrive late.
    HoldReplies,
    /// The network is slow.
    Slow,
    /// Connections are reset in place of replies.
    Reset,
    /// Connections are cut and new ones are refused.
    Refuse,
    /// The server delays all commands (`CLIENT PAUSE`).
    Pause,
    /// All connections are cut, once.
    KillClients,
    /// All servers forget the scripts.
    FlushScripts,
    /// A replica takes over on command.
    FailOver,
    /// A slot and its keys move to another node.
    MoveSlot,
    /// One of the two fronts is killed.
    KillFront,
}

/// A fault in effect.
pub(crate) struct InjectedFault {
    kind: FaultKind,
    primary: usize,
}

// === impl FaultKind ===

impl FaultKind {
    const ALL: [Self; 13] = [
        Self::Kill,
        Self::Stop,
        Self::HoldRequests,
        Self::HoldReplies,
        Self::Slow,
        Self::Reset,
        Self::Refuse,
        Self::Pause,
        Self::KillClients,
        Self::FlushScripts,
        Self::FailOver,
        Self::KillFront,
        Self::MoveSlot, // last, because not every topology has slots
    ];

    /// A random kind that the topology supports.
    pub(crate) fn random(has_slots: bool, rng: &mut Rng) -> Self {
        Self::ALL[rng.usize(..Self::ALL.len() - usize::from(!has_slots))]
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill -9 a primary",
            Self::Stop => "stop a primary",
            Self::HoldRequests => "hold requests",
            Self::HoldReplies => "hold replies",
            Self::Slow => "slow network",
            Self::Reset => "reset connections",
            Self::Refuse => "refuse connections",
            Self::Pause => "pause a primary",
            Self::KillClients => "cut connections",
            Self::FlushScripts => "flush scripts",
            Self::FailOver => "fail over",
            Self::MoveSlot => "move a slot",
            Self::KillFront => "kill -9 a front",
        }
    }

    /// A random time until the fault is healed. Servers may recover from it by themselves before.
    pub(crate) fn duration(self, rng: &mut Rng) -> Duration {
        let millis = match self {
            Self::KillClients | Self::FlushScripts | Self::MoveSlot => 200..500,
            // Long enough for the fronts to ask the Sentinels again.
            Self::FailOver => 1500..2500,
            _ => 200..4000,
        };
        Duration::from_millis(rng.u64(millis))
    }

    /// Injects the fault into the primary of `key`.
    pub(crate) fn inject(
        self,
        topology: &mut impl Topology,
        fronts: &[Front],
        key: &str,
        rng: &mut Rng,
    ) -> InjectedFault {
        let primary = topology.primary(key);
        let run = |server: &RedisServer, command: &str| drop(server.try_run::<Value>(command));
        let proxy = &topology.proxies()[primary];
        let server = &topology.servers()[primary];
        match self {
            Self::Kill => topology.servers_mut()[primary].kill(),
            Self::Stop => server.signal("STOP"),
            Self::HoldRequests => proxy.set(Fault::HoldRequests),
            Self::HoldReplies => proxy.set(Fault::HoldReplies),
            Self::Slow => {
                let each_way = Duration::from_millis(rng.u64(1..120));
                proxy.set(Fault::Latency { each_way, jitter: each_way });
            }
            Self::Reset => proxy.set(Fault::Reset),
            Self::Refuse => {
                proxy.set(Fault::Refuse);
                run(server, "CLIENT KILL TYPE normal");
            }
            Self::Pause => run(server, &format!("CLIENT PAUSE {} ALL", rng.u64(50..1500))),
            Self::KillClients => run(server, "CLIENT KILL TYPE normal"),
            Self::FlushScripts => topology.servers().iter().for_each(|it| run(it, "SCRIPT FLUSH")),
            Self::FailOver => topology.fail_over(primary),
            Self::MoveSlot => topology.move_slot(key),
            Self::KillFront => fronts[0].signal("KILL"),
        }
        InjectedFault { kind: self, primary }
    }
}

// === impl InjectedFault ===

impl InjectedFault {
    /// Ends the fault, except that a killed process stays dead.
    pub(crate) fn heal(&self, topology: &impl Topology) {
        if self.kind == FaultKind::Stop {
            topology.servers()[self.primary].signal("CONT");
        }
        topology.proxies()[self.primary].clear();
    }

    /// Restarts a killed server, and makes the server rejoin the others.
    pub(crate) fn repair(&self, topology: &mut impl Topology) {
        if self.kind == FaultKind::Kill {
            topology.servers_mut()[self.primary].start_again();
        }
        topology.rejoin(self.primary);
    }
}
