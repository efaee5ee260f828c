//! What can go wrong.

use std::time::Duration;

use fastrand::Rng;
use redis::Value;
use rl_tests::{Fault, Front, RedisServer};

use crate::stage::Stage;

/// A fault, of a primary unless it says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Killed: nothing is saved, nobody is told.
    Kill,
    /// Stopped, as a machine that hangs; then it goes on.
    Stop,
    /// What is said to it does not arrive until later.
    HoldRequests,
    /// It does, and is not answered.
    HoldReplies,
    /// The network is slow.
    Slow,
    /// Connections break in place of answers.
    Reset,
    /// Connections are lost and no new one is to be had.
    Refuse,
    /// It takes no commands, by order.
    Pause,
    /// All connections are cut, once.
    KillClients,
    /// All servers forget the scripts.
    FlushScripts,
    /// A replica takes over, by order.
    HandOver,
    /// A slot moves to another node, with its keys.
    MoveSlot,
    /// One of two fronts is killed.
    KillFront,
}

/// A fault that has been brought about.
pub(crate) struct Done {
    deed: Deed,
    primary: usize,
}

// === impl Deed ===

impl Deed {
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
        Self::HandOver,
        Self::KillFront,
        Self::MoveSlot, // the last: not everybody has slots
    ];

    /// One of those that can be done.
    pub(crate) fn any(has_slots: bool, chance: &mut Rng) -> Self {
        Self::ALL[chance.usize(..Self::ALL.len() - usize::from(!has_slots))]
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
            Self::HandOver => "hand over",
            Self::MoveSlot => "move a slot",
            Self::KillFront => "kill -9 a front",
        }
    }

    /// How long it lasts, if not until servers have done something about it.
    pub(crate) fn lasts(self, chance: &mut Rng) -> Duration {
        let millis = match self {
            Self::KillClients | Self::FlushScripts | Self::MoveSlot => 200..500,
            // Until fronts have asked the Sentinels again.
            Self::HandOver => 1500..2500,
            _ => 200..4000,
        };
        Duration::from_millis(chance.u64(millis))
    }

    /// Does it to the primary of `key`.
    pub(crate) fn begin(
        self,
        stage: &mut impl Stage,
        fronts: &[Front],
        key: &str,
        chance: &mut Rng,
    ) -> Done {
        let primary = stage.primary(key);
        let run = |server: &RedisServer, words: &str| drop(server.try_run::<Value>(words));
        let proxy = &stage.proxies()[primary];
        let server = &stage.servers()[primary];
        match self {
            Self::Kill => stage.servers_mut()[primary].kill(),
            Self::Stop => server.signal("STOP"),
            Self::HoldRequests => proxy.set(Fault::HoldRequests),
            Self::HoldReplies => proxy.set(Fault::HoldReplies),
            Self::Slow => {
                let each_way = Duration::from_millis(chance.u64(1..120));
                proxy.set(Fault::Latency { each_way, jitter: each_way });
            }
            Self::Reset => proxy.set(Fault::Reset),
            Self::Refuse => {
                proxy.set(Fault::Refuse);
                run(server, "CLIENT KILL TYPE normal");
            }
            Self::Pause => run(server, &format!("CLIENT PAUSE {} ALL", chance.u64(50..1500))),
            Self::KillClients => run(server, "CLIENT KILL TYPE normal"),
            Self::FlushScripts => stage.servers().iter().for_each(|it| run(it, "SCRIPT FLUSH")),
            Self::HandOver => stage.hand_over(primary),
            Self::MoveSlot => stage.move_slot(key),
            Self::KillFront => fronts[0].signal("KILL"),
        }
        Done { deed: self, primary }
    }
}

// === impl Done ===

impl Done {
    /// Makes it good, but for what was killed.
    pub(crate) fn end(&self, stage: &impl Stage) {
        if self.deed == Deed::Stop {
            stage.servers()[self.primary].signal("CONT");
        }
        stage.proxies()[self.primary].clear();
    }

    /// Brings back what was killed, and whoever was away.
    pub(crate) fn repair(&self, stage: &mut impl Stage) {
        if self.deed == Deed::Kill {
            stage.servers_mut()[self.primary].start_again();
        }
        stage.rejoin(self.primary);
    }
}
