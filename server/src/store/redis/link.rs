//! One worker's connection to Redis, and the task that keeps it alive.
//!
//! The client's own reconnecting connection is of no use here: it makes checks wait while it
//! connects, and it keeps a connection that times out for ever or that leads to a replica. So a plain
//! connection is replaced whenever it shows one of these, and while there is none a check fails at
//! once.

use std::{
    cell::RefCell,
    fmt,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::rt::{self, task::JoinHandle};
use redis::{AsyncConnectionConfig, Client, Cmd, Value, aio::MultiplexedConnection};
use tokio::{
    sync::Notify,
    time::{sleep, timeout},
};

use super::{
    backoff::Backoff,
    engine::{Engine, send},
    fault::Fault,
    reply,
    silence::Silence,
};
use crate::{settings::EngineChoice, status::Status, store::Unavailable};

/// A supervised connection. It belongs to the thread on which it was started.
pub struct Link {
    line: Rc<Line>,
    supervisor: JoinHandle<()>,
}

struct Line {
    client: Client,
    engine: EngineChoice,
    deadline: Duration,
    status: Arc<Status>,
    live: RefCell<Option<Rc<Live>>>,
    lost: Notify,
}

/// A connection that has answered.
struct Live {
    connection: MultiplexedConnection,
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
/// Checks that may wait to be written; past it they wait for room, and in the end for their deadline.
const QUEUE: usize = 1024;

// === impl Link ===

impl Link {
    /// Starts connecting, on this thread's runtime; how it goes shows in `status`.
    pub fn start(
        client: Client,
        engine: EngineChoice,
        deadline: Duration,
        status: Arc<Status>,
    ) -> Self {
        let (live, lost) = (RefCell::new(None), Notify::new());
        let line = Rc::new(Line { client, engine, deadline, status, live, lost });
        let supervisor = rt::spawn(supervise(line.clone()));
        Self { line, supervisor }
    }

    /// Sends the command that `build` makes for the engine in place and has `read` take the reply,
    /// within the deadline. It is sent at most once, unless Redis says that it did not run.
    pub(super) async fn call<T>(
        &self,
        build: impl FnOnce(&Engine) -> Cmd,
        read: impl FnOnce(Value) -> Result<T, Fault>,
    ) -> Result<T, Unavailable> {
        let live = self.line.live().ok_or(Unavailable::Down)?;
        self.line.ask(&live, build(&live.engine), read).await
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.supervisor.abort();
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

// === impl Line ===

impl Line {
    fn live(&self) -> Option<Rc<Live>> {
        self.live.borrow().clone()
    }

    async fn connect(&self) -> Result<Live, Fault> {
        // Whoever asks brings a deadline; the client's would be a second timer for the same wait.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_pipeline_buffer_size(QUEUE);
        let mut connection =
            self.client.get_multiplexed_async_connection_with_config(&config).await?;
        let engine = Engine::find(self.engine, &mut connection).await?;
        Ok(Live { connection, engine, silence: Silence::new(Instant::now()) })
    }

    /// Returns once the connection is lost. An idle one is asked now and then, so that a server that
    /// went away is noticed before a caller has to.
    async fn watch(&self) {
        while let Some(live) = self.live() {
            if timeout(HEARTBEAT, self.lost.notified()).await.is_err() {
                let _ = self.ask(&live, live.engine.probe(), reply::decision).await;
            }
        }
    }

    /// One question within the deadline, and what its failure means for the connection.
    async fn ask<T>(
        &self,
        live: &Rc<Live>,
        cmd: Cmd,
        read: impl FnOnce(Value) -> Result<T, Fault>,
    ) -> Result<T, Unavailable> {
        let sent = Instant::now();
        let Ok(reply) = timeout(self.deadline, live.send(&cmd)).await else {
            if live.silence.unheard(sent, Instant::now()) {
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
    async fn send(&self, cmd: &Cmd) -> Result<Value, Fault> {
        let mut connection = self.connection.clone();
        match send(cmd, &mut connection).await {
            // In full, not by loading and naming it again: a flush in between would find that too.
            Err(Fault::NoScript) => match self.engine.in_full(cmd) {
                Some(full) => send(&full, &mut connection).await,
                None => Err(Fault::NoScript),
            },
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
