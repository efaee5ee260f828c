//! One fault under load.

use std::time::Duration;

use fastrand::Rng;
use rl_tests::{CheckRequest, Front, LimitSource, Load, Record, eventually};
use serde_json::Value;

use crate::account::{self, Account, HOT, ROOMY};
use crate::deed::Deed;
use crate::pulse::Pulse;
use crate::stage::{PATIENCE, Stage, asked, settle};

/// An episode that is over, with all that was promised kept.
pub(crate) struct Told {
    pub(crate) deed: Deed,
    pub(crate) account: Account,
}

pub(crate) const DEADLINE: Duration = Duration::from_millis(100);
/// Nothing is normal before an answer that is still on its way would have come.
const LASTING: Duration = Duration::from_millis(200);
/// Promised are 2 s; a busy machine may take as much on top.
const NORMAL_WITHIN: Duration = Duration::from_secs(4);
const CLIENTS: usize = 4;
const WORKERS: usize = 2;

/// Two fronts on the same buckets, one through the module and one through the scripts.
pub(crate) fn fronts(url: &str) -> [Front; 2] {
    ["module", "lua"].map(|engine| front(url, engine))
}

fn front(url: &str, engine: &str) -> Front {
    let (workers, millis) = (WORKERS.to_string(), DEADLINE.as_millis().to_string());
    let store = ["--store", url, "--engine", engine];
    Front::start(&[&store[..], &["--workers", &workers, "--deadline-ms", &millis]].concat())
}

/// Plays one, and draws up its account. Fails if a promise was not kept.
pub(crate) fn play(
    stage: &mut impl Stage,
    fronts: &mut [Front; 2],
    deed: Deed,
    chance: &mut Rng,
) -> Told {
    let (primaries, before) = (stage.primaries(), taken(&fronts[1]));
    let sent_before = sent(fronts);
    let key = account::any_key(chance).to_owned();
    let load = Load::start(&[&fronts[0], &fronts[1]], CLIENTS, |chance| {
        let key = account::any_key(chance).to_owned();
        let limits = if key.starts_with("hot") {
            LimitSource::Inline(HOT.0, HOT.1)
        } else {
            LimitSource::Inline(ROOMY.0, ROOMY.1)
        };
        CheckRequest { key, limits, cost: 1 }
    });
    let pulse = Pulse::start();
    load.run_for_answers(200);

    let from = load.now();
    let done = deed.begin(stage, fronts, &key, chance);
    load.run_for(deed.lasts(chance));
    done.end(stage);
    eventually("Redis takes writes", PATIENCE, || is_writable(stage));
    let writable = load.now();
    let alive = |record: &Record| deed != Deed::KillFront || record.front != 0;
    load.run_until("checks are decided by Redis again", NORMAL_WITHIN, |records| {
        let now = load.now();
        let last = records.iter().rev().take_while(|record| record.end + LASTING >= now);
        let last: Vec<_> = last.filter(|record| alive(record)).collect();
        now >= writable + LASTING && last.len() >= 10 && last.iter().all(|it| it.is_normal())
    });
    let normal = load.now();
    load.run_for_answers(50);
    let history = load.finish();
    let stood_still = pulse.stop();

    let sent = (deed != Deed::KillFront).then(|| sent(fronts) - sent_before);
    if deed == Deed::KillFront {
        fronts[0] = front(&stage.url(), "module");
    }
    stage.primaries(); // settled
    done.repair(stage);
    settle(stage);
    for front in &*fronts {
        eventually("every link is back", PATIENCE, || front.links() == WORKERS);
    }
    let story = account::Story {
        history,
        killed: deed == Deed::Kill,
        taken_over: stage.primaries() != primaries,
        from,
        writable,
        normal,
        taken: (before, taken(&fronts[1])),
        sent,
        stood_still,
    };
    Told { deed, account: story.settle(alive) }
}

/// Whether the primary of every key lives, is reached and takes writes.
fn is_writable(stage: &impl Stage) -> bool {
    account::keys().all(|key| {
        let primary = &stage.servers()[stage.primary(key)];
        asked(primary, &format!("SET {{{key}}}soak 1")) == "OK"
    })
}

/// How many questions were sent and not answered, as the fronts say.
fn sent(fronts: &[Front]) -> u64 {
    fronts.iter().map(Front::unanswered).sum()
}

/// What has been taken from each of the roomy buckets, as Redis says it.
fn taken(front: &Front) -> Vec<u64> {
    let of = |key: &str| {
        let limits = LimitSource::Inline(ROOMY.0, ROOMY.1);
        let body = CheckRequest { key: key.to_owned(), limits, cost: 1 }.body();
        let mut answer = Value::Null;
        eventually("Redis says what is left", PATIENCE, || {
            answer = front.post("/peek", &body).body;
            answer["degraded"] == Value::Null && answer["remaining"].is_u64()
        });
        ROOMY.0 - answer["remaining"].as_u64().expect("a number")
    };
    account::roomy_keys().map(of).collect()
}
