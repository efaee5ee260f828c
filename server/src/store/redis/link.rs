//! One worker's connection to Redis, and the task that keeps it alive.
//!
//! A connection is replaced when it breaks, does not answer any more or leads to a replica, and while
//! there is none a check fails at once: nobody waits for a connection.

use std::{
    cell::RefCell,
    fmt,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::rt::{self, task::JoinHandle};
use redis::Client;
use rl_bucket::Decision;
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use super::{
    backoff::Backoff,
    command::{Command, Form},
    engine::Engine,
    fault::Fault,
    frame::Reply,
    gather::{Batch, Gather},
    reply,
    silence::Silence,
    wire::Wire,
    words::Words,
};
use crate::{
    settings::EngineChoice,
    status::Status,
    store::{NotABucket, Request, Unavailable},
};

/// A supervised connection. It belongs to the thread on which it was started.
pub struct Link {
    line: Rc<Line>,
    tasks: [JoinHandle<()>; 2],
}

struct Line {
    client: Client,
    engine: EngineChoice,
    deadline: Duration,
    status: Arc<Status>,
    live: RefCell<Option<Rc<Live>>>,
    lost: Notify,
    gather: Gather,
}

/// A connection that has answered.
struct Live {
    wire: Wire,
    engine: Engine,
    silence: Silence,
}

/// To connect, log in and find the engine.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How often an idle link asks whether anyone is there.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long a connection must have lasted for the next one to be made without growing waits. Shorter,
/// and a server that accepts connections but no checks would be connected to in a tight loop.
const LASTING: Duration = Duration::from_secs(2);
/// As the server says it of one key.
const NOT_A_BUCKET: &str = "WRONGTYPE Operation against a key holding the wrong kind of value";
// === impl Link ===

impl Link {
    /// Starts connecting, on this thread's runtime; how it goes shows in `status`.
    pub fn start(
        client: Client,
        engine: EngineChoice,
        deadline: Duration,
        status: Arc<Status>,
    ) -> Self {
        let (live, lost, gather) = (RefCell::new(None), Notify::new(), Gather::default());
        let line = Rc::new(Line { client, engine, deadline, status, live, lost, gather });
        let tasks = [rt::spawn(supervise(line.clone())), rt::spawn(check_all(line.clone()))];
        Self { line, tasks }
    }

    /// One check, along with the others of its moment.
    pub(super) async fn check(&self, request: &Request<'_>) -> Result<Decision, Unavailable> {
        if self.line.live.borrow().is_none() {
            return Err(Unavailable::Down);
        }
        self.line.gather.check(request).await
    }

    /// Sends what `say` says to the engine in place and has `read` take the reply, within the deadline. It
    /// is sent at most once, unless Redis says that it did not run.
    pub(super) async fn call<T>(
        &self,
        say: impl Fn(&Engine, Form) -> Words,
        read: impl FnOnce(Reply) -> Result<T, Fault>,
    ) -> Result<T, Unavailable> {
        let live = self.line.live().ok_or(Unavailable::Down)?;
        self.line.ask(&live, Instant::now(), say, read).await
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        if let Some(live) = self.line.live() {
            self.line.lose(&live, "the worker stopped");
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("up", &self.line.live().is_some()).finish_non_exhaustive()
    }
}

// === supervision ===

/// Connects, watches, connects again; until the link is dropped.
async fn supervise(line: Rc<Line>) {
    let mut backoff = Backoff::new();
    let mut first = true;
    loop {
        match timeout(CONNECT_TIMEOUT, line.connect()).await {
            Ok(Ok(live)) => {
                let since = Instant::now();
                line.status.link_up(live.engine.serving(), first);
                first = false;
                line.live.replace(Some(Rc::new(live)));
                line.watch().await;
                if since.elapsed() >= LASTING {
                    backoff = Backoff::new();
                }
            }
            Ok(Err(Fault::NoCommand)) => line.status.misconfigured(
                "redis does not have RL.CHECK (or forbids it): load the module, or use --engine auto",
            ),
            Ok(Err(Fault::Refused(reason) | Fault::Broken(reason))) => line.status.retrying(&reason),
            Ok(Err(Fault::NoScript)) => line.status.retrying("it forgot the scripts"),
            Err(_) => line.status.retrying("no answer in time"),
        }
        sleep(backoff.next()).await;
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

    async fn connect(&self) -> Result<Live, Fault> {
        let wire = Wire::connect(&self.client).await?;
        let engine = Engine::find(self.engine, &wire).await?;
        Ok(Live { wire, engine, silence: Silence::new(Instant::now()) })
    }

    /// Returns once the connection is lost. An idle one is asked now and then, so that a server that
    /// went away is noticed before a caller has to.
    async fn watch(&self) {
        while let Some(live) = self.live() {
            if timeout(HEARTBEAT, self.lost.notified()).await.is_err() {
                let _ = self.ask(&live, Instant::now(), Engine::probe, reply::decision).await;
            }
        }
    }

    /// Checks that go together, each within the deadline.
    async fn check(&self, mut batch: Batch) {
        let Some(asked) = batch.prune(self.deadline) else { return };
        let Some(live) = self.live() else {
            return batch.answer(std::iter::repeat(Err(Unavailable::Down)));
        };
        let requests = batch.requests();
        let answers = match requests.as_slice() {
            [_] => {
                let say = |engine: &Engine, form| engine.ask(Command::Check, &requests, form);
                let one = self.ask(&live, asked, say, reply::decision).await;
                one.map(|decision| vec![Ok(decision)])
            }
            _ => {
                let say = |engine: &Engine, form| engine.ask(Command::MCheck, &requests, form);
                let read = |reply| reply::each(reply, requests.len());
                self.ask(&live, asked, say, read).await
            }
        };
        drop(requests);
        match answers {
            Err(reason) => batch.answer(std::iter::repeat(Err(reason))),
            Ok(answers) => batch.answer(answers.into_iter().map(|answer| {
                answer.map_err(|NotABucket| {
                    self.status.trouble(NOT_A_BUCKET);
                    Unavailable::Failed
                })
            })),
        }
    }

    /// A question that was `asked` then, within the deadline, and what its failure means for the
    /// connection.
    async fn ask<T>(
        &self,
        live: &Rc<Live>,
        asked: Instant,
        say: impl Fn(&Engine, Form) -> Words,
        read: impl FnOnce(Reply) -> Result<T, Fault>,
    ) -> Result<T, Unavailable> {
        let time = self.deadline.saturating_sub(asked.elapsed());
        let Ok(reply) = timeout(time, live.send(say)).await else {
            if live.silence.unheard(asked, Instant::now()) {
                self.lose(live, "it does not answer in time");
            } else {
                self.status.trouble("no answer in time");
            }
            return Err(Unavailable::Late);
        };
        live.silence.heard();
        match reply.and_then(read) {
            Ok(answer) => return Ok(answer),
            Err(Fault::NoCommand) => self.lose(live, "it has no such command any more"),
            Err(Fault::Broken(reason)) => self.lose(live, &reason),
            Err(Fault::Refused(reason)) => self.status.trouble(&reason),
            Err(Fault::NoScript) => self.status.trouble("it forgot the scripts again"),
        }
        Err(Unavailable::Failed)
    }

    /// Gives up `live`, unless that was done already.
    fn lose(&self, live: &Rc<Live>, reason: &str) {
        let lost = self.live.borrow_mut().take_if(|current| Rc::ptr_eq(current, live));
        if lost.is_some() {
            self.status.link_down(reason);
            self.lost.notify_one();
        }
    }
}

// === impl Live ===

impl Live {
    async fn send(&self, say: impl Fn(&Engine, Form) -> Words) -> Result<Reply, Fault> {
        match self.wire.send(&say(&self.engine, Form::Hash)).await {
            // In full, not by loading and naming it again: a flush in between would find that too.
            Err(Fault::NoScript) => self.wire.send(&say(&self.engine, Form::Full)).await,
            reply => reply,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::TcpListener,
        sync::Arc,
        time::{Duration, Instant},
    };

    use redis::Client;
    use rl_bucket::{Cost, Limit};
    use tokio::time::sleep;

    use super::Link;
    use crate::{
        settings::EngineChoice,
        status::Status,
        store::{Ask, Request, Unavailable},
    };

    #[actix_web::test]
    async fn a_check_does_not_wait_for_a_connection() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap(); // connects, never answers
        let client = Client::open(format!("redis://{}", silent.local_addr().unwrap())).unwrap();
        let status = Arc::new(Status::redis(1));
        let deadline = Duration::from_secs(60);
        let link = Link::start(client, EngineChoice::Auto, deadline, status.clone());
        sleep(Duration::from_millis(50)).await;
        let limit = Limit::parse("1", "1").unwrap();
        let request = Request { key: b"k", limit, amount: Cost::ONE };
        let asked = Instant::now();
        assert_eq!(link.ask(Ask::Check, &request).await, Err(Unavailable::Down));
        assert!(asked.elapsed() < Duration::from_secs(1));
        assert!(!status.store_is_up());
    }
}
