//! One worker's connection to one server, and the tasks that keep it alive.
//!
//! A connection is replaced when it breaks, does not answer any more, leads to a replica or grows old, and while
//! there is none a check fails at once: nobody waits for a connection.
//!
//! That is a circuit breaker: it opens when a connection is given up, and closes when the one task that
//! connects again has been answered, by the engine itself and within the deadline of a check.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::rt::{self, task::JoinHandle};
use tokio::{
    select,
    sync::Notify,
    time::{sleep, timeout},
};

use super::{
    command::{Command, Form},
    engine::Engine,
    fault::{Fault, Redirect},
    frame::Reply,
    gather::{Answer, Batch, Gather},
    live::Live,
    reach::Place,
    reply,
    slot::slot,
    turn::Turn,
    way::Way,
    words::Words,
};
use crate::store::{NotABucket, Request, Unavailable};

/// A supervised connection. It belongs to the thread on which it was started.
pub(super) struct Lane {
    line: Rc<Line>,
    tasks: [JoinHandle<()>; 2],
}

/// Why a server did not answer a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Setback {
    Unavailable(Unavailable),
    /// The key holds something that is not a bucket, and that was left as it is.
    NotABucket,
    /// It did nothing: a cluster has the key elsewhere.
    Elsewhere(Redirect),
}

struct Line {
    place: Place,
    turn: Arc<Turn>,
    way: Rc<Way>,
    live: RefCell<Option<Rc<Live>>>,
    lost: Notify,
    came: Notify,
    gather: Gather,
}

/// How often an idle link asks whether anyone is there.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long a connection must have lasted for the next one to be made without growing waits. Shorter,
/// and a server that accepts connections but no checks would be connected to in a tight loop.
const LASTING: Duration = Duration::from_secs(2);
/// Questions in flight beside the checks that go together.
const MOST_IN_FLIGHT: usize = 4096;
const NO_COMMAND: &str =
    "redis does not have RL.CHECK (or forbids it): load the module, or use --engine auto";
/// As the server says it of one key.
const NOT_A_BUCKET: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";

// === impl Setback ===

impl Setback {
    /// What it comes to for whoever asked.
    pub(super) fn reason(self) -> Unavailable {
        match self {
            Self::Unavailable(reason) => reason,
            Self::NotABucket | Self::Elsewhere(_) => Unavailable::Failed,
        }
    }
}

impl From<Unavailable> for Setback {
    fn from(reason: Unavailable) -> Self {
        Self::Unavailable(reason)
    }
}

// === impl Lane ===

impl Lane {
    /// Starts connecting, on this thread's runtime.
    pub(super) fn start(place: Place, way: Rc<Way>) -> Self {
        let live = RefCell::new(None);
        let (lost, came, gather) = (Notify::new(), Notify::new(), Gather::default());
        let turn = way.reach.turn(&place);
        let line = Rc::new(Line { place, turn, way, live, lost, came, gather });
        let tasks = [rt::spawn(supervise(line.clone())), rt::spawn(check_all(line.clone()))];
        Self { line, tasks }
    }

    /// Whether it can be asked.
    pub(super) fn is_up(&self) -> bool {
        self.line.live.borrow().is_some()
    }

    /// One check, along with the others of its moment.
    pub(super) async fn check(&self, request: &Request<'_>) -> Answer {
        if !self.is_up() {
            return Err(Unavailable::Down.into());
        }
        self.line.gather.check(request).await
    }

    /// Sends what `say` says to the engine in place and has `read` take the reply, within the deadline.
    pub(super) async fn call<T>(
        &self,
        say: impl Fn(&Engine, Form) -> Words,
        read: impl FnOnce(Reply) -> Result<T, Fault>,
    ) -> Result<T, Setback> {
        self.call_since(Instant::now(), false, say, read).await
    }

    /// The same for a question that was `asked` then, elsewhere first; `asking` if the key is only on its way here.
    pub(super) async fn call_since<T>(
        &self,
        asked: Instant,
        asking: bool,
        say: impl Fn(&Engine, Form) -> Words,
        read: impl FnOnce(Reply) -> Result<T, Fault>,
    ) -> Result<T, Setback> {
        let live = self.line.free()?;
        let sending =
            async { if asking { live.send_asking(say).await } else { live.send(say).await } };
        self.line.settle(&live, asked, sending, read).await
    }

    /// Waits until it can be asked, but not longer; whether it can.
    pub(super) async fn comes_up(&self, within: Duration) -> bool {
        let came = self.line.came.notified();
        self.is_up() || timeout(within, came).await.is_ok()
    }

    /// A command of these words, for a node that tells about its cluster.
    pub(super) async fn say(&self, words: &[&str]) -> Result<Reply, Fault> {
        let Some(live) = self.line.live() else {
            return Err(Fault::Broken("it is down".to_owned()));
        };
        live.wire.say(words.iter().copied()).await
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        if let Some(live) = self.line.live() {
            self.line.lose(&live, "it is not needed any more");
        }
    }
}

// === supervision ===

/// Connects, watches, connects again; until the link is dropped.
async fn supervise(line: Rc<Line>) {
    let status = &line.way.reach.status;
    loop {
        let turn = line.turn.take().await;
        line.turn.pause().await;
        let began = Instant::now();
        match Live::connect(&line.place, &line.way.reach).await {
            Ok(live) => {
                drop(turn);
                let serving = live.engine.serving();
                line.live.replace(Some(Rc::new(live)));
                line.way.lane_up(serving);
                line.came.notify_waiters();
                line.watch().await;
                if began.elapsed() >= LASTING {
                    line.turn.lasted();
                }
                line.turn.failed(Instant::now());
            }
            Err(fault) => {
                match fault {
                    Fault::NoCommand => status.misconfigured(NO_COMMAND),
                    fault => status.retrying(&fault.reason()),
                }
                line.turn.failed(began);
            }
        }
    }
}

/// Sends what gathers, one batch after the other; until the link is dropped.
async fn check_all(line: Rc<Line>) {
    loop {
        let batch = line.gather.next().await;
        line.check(batch).await;
    }
}

// === impl Line ===

impl Line {
    fn live(&self) -> Option<Rc<Live>> {
        self.live.borrow().clone()
    }

    /// The connection, if it has room for another question.
    fn free(&self) -> Result<Rc<Live>, Unavailable> {
        let live = self.live().ok_or(Unavailable::Down)?;
        if live.wire.in_flight() < MOST_IN_FLIGHT { Ok(live) } else { Err(Unavailable::Shed) }
    }

    /// Returns once the connection is lost. An idle one is asked now and then, so that a server that
    /// went away is noticed before a caller has to.
    async fn watch(&self) {
        while let Some(live) = self.live() {
            select! {
                () = self.lost.notified() => continue,
                fault = live.wire.ended() => {
                    self.lose(&live, &fault.reason());
                    continue;
                }
                () = sleep(HEARTBEAT) => {}
            }
            let _ =
                self.settle(&live, Instant::now(), live.send(Engine::probe), reply::decision).await;
            let reach = &self.way.reach;
            if let Ok(true) = live.is_outdated(&self.place, reach).await
                && let Ok(_turn) = timeout(HEARTBEAT, self.turn.take()).await
                && let Ok(next) = Live::connect(&self.place, reach).await
                && self.live.borrow().as_ref().is_some_and(|current| Rc::ptr_eq(current, &live))
            {
                reach.status.link_replaced(next.engine.serving());
                // Who waits for an answer keeps the old one until it has come.
                self.live.replace(Some(Rc::new(next)));
            }
        }
    }

    /// Checks that go together, each within the deadline.
    async fn check(&self, mut batch: Batch) {
        let Some(asked) = batch.prune(self.way.reach.deadline) else { return };
        let Some(live) = self.live() else {
            return batch
                .answer(std::iter::repeat_n(Err(Unavailable::Down.into()), MOST_IN_FLIGHT));
        };
        let requests = batch.requests();
        let answers = match requests.as_slice() {
            [_] => vec![self.check_one(&live, asked, &requests).await],
            _ if self.way.reach.is_cluster() => self.check_by_slot(&live, asked, &requests).await,
            _ => {
                let say = |engine: &Engine, form| engine.ask(Command::MCheck, &requests, form);
                let answers = self.settle(&live, asked, live.send(say), each(requests.len())).await;
                answers.unwrap_or_else(|setback| vec![Err(setback); requests.len()])
            }
        };
        drop(requests);
        if answers.contains(&Err(Setback::NotABucket)) {
            self.way.reach.status.trouble(NOT_A_BUCKET);
        }
        batch.answer(answers);
    }

    async fn check_one(&self, live: &Rc<Live>, asked: Instant, one: &[Request<'_>]) -> Answer {
        let say = |engine: &Engine, form| engine.ask(Command::Check, one, form);
        self.settle(live, asked, live.send(say), reply::decision).await
    }

    /// Commands of one slot each, all sent at once: a cluster's nodes take no others.
    async fn check_by_slot(
        &self,
        live: &Rc<Live>,
        asked: Instant,
        requests: &[Request<'_>],
    ) -> Vec<Answer> {
        let mut order: Vec<_> =
            requests.iter().enumerate().map(|(at, it)| (slot(it.key), at)).collect();
        order.sort_unstable(); // of one slot in their order
        let groups: Vec<_> = order.chunk_by(|(slot, _), (next, _)| slot == next).collect();
        let say = |group: &[(u16, usize)], form| {
            let requests: Vec<_> = group.iter().map(|(_, at)| requests[*at]).collect();
            let command = if group.len() == 1 { Command::Check } else { Command::MCheck };
            live.engine.ask(command, &requests, form)
        };
        let mut words = Words::default();
        groups.iter().for_each(|group| words.append(&say(group, Form::Hash)));
        let replies = live.wire.send_all(&words, groups.len());
        let mut answers = vec![Err(Unavailable::Failed.into()); requests.len()];
        for (group, reply) in groups.into_iter().zip(replies) {
            let asking = async {
                match reply.await {
                    Err(Fault::NoScript) => live.wire.send(&say(group, Form::Full)).await,
                    reply => reply,
                }
            };
            let answered = self.settle(live, asked, asking, each(group.len())).await;
            let answered = answered.unwrap_or_else(|setback| vec![Err(setback); group.len()]);
            for ((_, at), answer) in group.iter().zip(answered) {
                answers[*at] = answer;
            }
        }
        answers
    }

    /// Waits for the reply to what was `asked` then, within the deadline, and says what its failure means for
    /// the connection.
    async fn settle<T>(
        &self,
        live: &Rc<Live>,
        asked: Instant,
        asking: impl Future<Output = Result<Reply, Fault>>,
        read: impl FnOnce(Reply) -> Result<T, Fault>,
    ) -> Result<T, Setback> {
        let time = self.way.reach.deadline.saturating_sub(asked.elapsed());
        let status = &self.way.reach.status;
        let Ok(reply) = timeout(time, asking).await else {
            if live.silence.unheard(asked, Instant::now()) {
                self.lose(live, "it does not answer in time");
            } else {
                status.trouble("no answer in time");
            }
            return Err(Unavailable::Late.into());
        };
        live.silence.heard();
        match reply.and_then(read) {
            Ok(answer) => return Ok(answer),
            Err(Fault::Elsewhere(redirect)) if self.way.reach.is_cluster() => {
                return Err(Setback::Elsewhere(redirect));
            }
            Err(Fault::Elsewhere(_)) => {
                status.trouble("it is a node of a cluster: use redis+cluster:// in --store");
            }
            Err(Fault::NoCommand) => self.lose(live, "it has no such command any more"),
            Err(Fault::Broken(reason)) => self.lose(live, &reason),
            Err(Fault::Refused(reason)) => {
                status.trouble(&reason);
                if reason == NOT_A_BUCKET {
                    return Err(Setback::NotABucket);
                }
            }
            Err(Fault::NoScript) => status.trouble("it forgot the scripts again"),
        }
        Err(Unavailable::Failed.into())
    }

    /// Gives up `live`, unless that was done already.
    fn lose(&self, live: &Rc<Live>, reason: &str) {
        let lost = self.live.borrow_mut().take_if(|current| Rc::ptr_eq(current, live));
        if lost.is_some() {
            self.way.lane_down(&live.host, reason);
            self.lost.notify_one();
        }
    }
}

/// Reads the answers of so many checks.
fn each(count: usize) -> impl FnOnce(Reply) -> Result<Vec<Answer>, Fault> {
    move |reply| match count {
        1 => Ok(vec![Ok(reply::decision(reply)?)]),
        _ => {
            let each = reply::each(reply, count)?.into_iter();
            Ok(each.map(|answer| answer.map_err(|NotABucket| Setback::NotABucket)).collect())
        }
    }
}
