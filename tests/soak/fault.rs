//! The faults, and how each is injected and healed.

use std::time::Duration;

use fastrand::Rng;
use redis::Value;
use rl_tests::{Fault, FaultProxy, Front, RedisServer};

use crate::host_name::{HostName, SilentAddress};
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
    /// Every round trip takes a large part of the deadline, and no more.
    SlowLinks,
    /// The first address of the servers' name is silent, when connections are cut.
    SilentAddress,
    /// One of three Sentinels is silent or names another server or none, when connections are cut.
    Minority,
    /// Two of three do, each its own way.
    NoMajority,
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
    /// The time that is left of the deadline, over slow links.
    pub(crate) margin: Option<Duration>,
    silent: Option<SilentAddress>,
}

/// The deadline of the fronts that most faults hit.
const DEADLINE: Duration = Duration::from_millis(100);

// === impl FaultKind ===

impl FaultKind {
    const ALL: [Self; 17] = [
        Self::Kill,
        Self::Stop,
        Self::HoldRequests,
        Self::HoldReplies,
        Self::Slow,
        Self::SlowLinks,
        Self::SilentAddress,
        Self::Minority,
        Self::NoMajority,
        Self::Reset,
        Self::Refuse,
        Self::Pause,
        Self::KillClients,
        Self::FlushScripts,
        Self::FailOver,
        Self::MoveSlot,
        Self::KillFront,
    ];

    /// The kinds of these names that can hit servers of this topology; all of them without names.
    pub(crate) fn possible<T: Topology>(kinds: &[Self], host: &HostName) -> Vec<Self> {
        let is_possible = |kind: Self| {
            T::has(kind)
                && (kind != Self::SilentAddress || host.is_known())
                && (kinds.is_empty() || kinds.contains(&kind))
        };
        Self::ALL.into_iter().filter(|kind| is_possible(*kind)).collect()
    }

    /// The kind of this name.
    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        let kind = Self::ALL.into_iter().find(|kind| kind.name() == name);
        kind.ok_or_else(|| format!("is none of: {}", Self::list()))
    }

    /// The names of all kinds.
    pub(crate) fn list() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    /// The deadline of the fronts that it hits. Over slow links it is so long that a tenth of it is
    /// no time for which a busy machine stops a front.
    pub(crate) fn deadline(self) -> Duration {
        if self == Self::SlowLinks { Duration::from_secs(1) } else { DEADLINE }
    }

    /// The clients that make checks. Over slow links each makes few.
    pub(crate) fn clients(self) -> usize {
        if self == Self::SlowLinks { 40 } else { 4 }
    }

    /// Whether Redis decides checks although the fault lasts.
    pub(crate) fn is_overcome(self) -> bool {
        matches!(self, Self::SilentAddress | Self::Minority)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill -9 a primary",
            Self::Stop => "stop a primary",
            Self::HoldRequests => "hold requests",
            Self::HoldReplies => "hold replies",
            Self::Slow => "slow network",
            Self::SlowLinks => "slow links",
            Self::SilentAddress => "silent address",
            Self::Minority => "one bad Sentinel",
            Self::NoMajority => "two bad Sentinels",
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
            // Long enough for each client to make several checks.
            Self::SlowLinks => 3000..6000,
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
        let (mut margin, mut silent) = (None, None);
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
            Self::SlowLinks => {
                let round_trip = self.deadline().mul_f64(0.3 + 0.6 * rng.f64());
                let (each_way, jitter) = (round_trip / 2, Duration::ZERO);
                topology
                    .proxies()
                    .iter()
                    .for_each(|it| it.set(Fault::Latency { each_way, jitter }));
                margin = Some(self.deadline() - round_trip);
            }
            Self::SilentAddress => {
                silent = Some(SilentAddress::at(&topology.ports()));
                topology.servers().iter().for_each(cut_connections);
            }
            Self::Minority | Self::NoMajority => {
                topology.mislead(if self == Self::Minority { 1 } else { 2 }, rng);
                cut_connections(server);
            }
            Self::Reset => proxy.set(Fault::Reset),
            Self::Refuse => {
                proxy.set(Fault::Refuse);
                cut_connections(server);
            }
            Self::Pause => run(server, &format!("CLIENT PAUSE {} ALL", rng.u64(50..1500))),
            Self::KillClients => cut_connections(server),
            Self::FlushScripts => topology.servers().iter().for_each(|it| run(it, "SCRIPT FLUSH")),
            Self::FailOver => topology.fail_over(primary),
            Self::MoveSlot => topology.move_slot(key),
            Self::KillFront => fronts[0].signal("KILL"),
        }
        InjectedFault { kind: self, primary, margin, silent }
    }
}

/// Runs a command on a server, which may be down.
fn run(server: &RedisServer, command: &str) {
    drop(server.try_run::<Value>(command));
}

fn cut_connections(server: &RedisServer) {
    run(server, "CLIENT KILL TYPE normal");
}

// === impl InjectedFault ===

impl InjectedFault {
    /// Ends the fault, except that a killed process stays dead.
    pub(crate) fn heal(&mut self, topology: &impl Topology) {
        if self.kind == FaultKind::Stop {
            topology.servers()[self.primary].signal("CONT");
        }
        topology.proxies().iter().for_each(FaultProxy::clear);
        topology.lead_right();
        self.silent = None;
    }

    /// Restarts a killed server, and makes the server rejoin the others.
    pub(crate) fn repair(&self, topology: &mut impl Topology) {
        if self.kind == FaultKind::Kill {
            topology.servers_mut()[self.primary].start_again();
        }
        topology.rejoin(self.primary);
    }
}
