//! At a front, over HTTP/1.1: one request in flight on each connection, as in most clients.
//!
//! By hand, not with a library: what goes out is always the same request with other digits in it, and what
//! comes back is read in place, so nearly all of a request's time is the kernel's. `ureq`, which the other
//! subcommands use, blocks a thread for each connection; hyper would build and take apart each request.

mod answer;
mod response;
mod wire;

use std::{error::Error, io, sync::Arc, time::Duration};

use tokio::time::timeout;
use ureq::http::{Response as Head, StatusCode, Uri, header};

use self::wire::{Server, Wire};
use super::{
    BenchArgs,
    keys::{Keys, Template},
    tally::{Answer, Trouble},
};
use crate::query::{Failure, Front, problem};

/// A front, and what it is sent.
pub(super) struct Site {
    front: Front,
    server: Arc<Server>,
    /// Requests that take.
    request: Template,
    /// One that takes nothing, to see whether anybody is there.
    peek: Vec<u8>,
    batch: usize,
}

/// One connection to a front, made when it is needed.
pub(super) struct Connection {
    wire: Wire,
    request: Template,
    batch: usize,
}

/// From a request, or the connection for it, to the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// What a front reads at most.
const MAX_REQUEST: usize = 1024 * 1024;

// === impl Site ===

impl Site {
    /// A front, and what the arguments say to ask it.
    pub(super) fn new(front: Front, args: &BenchArgs, keys: &Keys) -> Result<Self, Failure> {
        let unfit = |error: &dyn Error| Failure::usage(format!("--server: {error}"));
        let uri: Uri = front.base().parse().map_err(|error| unfit(&error))?;
        let server = Arc::new(Server::new(&uri).map_err(|error| unfit(&*error))?);

        let key = keys.key(0);
        let said = |error: serde_json::Error| Failure::usage(error.to_string());
        let check = serde_json::to_string(&args.body(&key)?).map_err(said)?;
        // The key is the first field, so what is found is the key.
        let quoted = serde_json::to_string(&key).map_err(said)?;
        let end = check.find(&quoted).unwrap_or_default() + quoted.len() - 1;
        let (path, body, ends) = match args.batch {
            1 => ("/check", check.clone(), vec![end]),
            many => {
                let opening = r#"{"checks":["#;
                let ends = (0..many).map(|n| opening.len() + n * (check.len() + 1) + end).collect();
                let checks = vec![check.as_str(); many].join(",");
                ("/check/batch", format!("{opening}{checks}]}}"), ends)
            }
        };
        if body.len() > MAX_REQUEST {
            return Err(Failure::usage("--batch is too much: a front reads at most 1 MiB"));
        }
        let head = |path, body| head(&uri, &front, path, body);
        let (head, peek) = (head(path, &body), head("/peek", &check) + &check);
        let ends: Vec<_> = ends.into_iter().map(|end: usize| head.len() + end).collect();
        let request = Template::new((head + &body).into_bytes(), &ends, keys.width());
        Ok(Self { front, server, request, peek: peek.into_bytes(), batch: args.batch })
    }

    /// Its address.
    pub(super) fn name(&self) -> &str {
        self.front.base()
    }

    /// Whether it answers such requests; takes nothing.
    pub(super) async fn probe(&self) -> Result<(), Failure> {
        let failure = |reason: &str| Failure::unanswered(format!("{}: {reason}", self.name()));
        let mut wire = Wire::new(Arc::clone(&self.server));
        let exchange = timeout(PATIENCE, wire.exchange(&self.peek)).await;
        let response = exchange
            .map_err(|_| failure("no answer in time"))?
            .map_err(|error| failure(&error.to_string()))?;
        let body = wire.body(&response);
        if response.status == 200 {
            return answer::one(body)
                .map(drop)
                .map_err(|_| failure("what answered is no rl-server: its answer makes no sense"));
        }
        let mut head = Head::builder().status(response.status);
        for (name, value) in
            [(header::CONTENT_TYPE, &response.content_type), (header::LOCATION, &response.location)]
        {
            if let Some(value) = value {
                head = head.header(name, value);
            }
        }
        let head = head.body(()).map_err(|error| failure(&error.to_string()))?;
        let problem = problem(&head, &String::from_utf8_lossy(body));
        Err(failure(&(problem + self.front.hint(head.status()))))
    }
}

/// All of a request but its body.
fn head(uri: &Uri, front: &Front, path: &str, body: &str) -> String {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let prefix = uri.path().trim_end_matches('/');
    let token = front.authorization().map(|value| format!("authorization: {value}\r\n"));
    format!(
        "POST {prefix}{path} HTTP/1.1\r\nhost: {authority}\r\nuser-agent: rl-server/{}\r\n\
         {}content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        env!("CARGO_PKG_VERSION"),
        token.unwrap_or_default(),
        body.len()
    )
}

// === impl Connection ===

impl Connection {
    pub(super) fn new(site: &Site) -> Self {
        let wire = Wire::new(Arc::clone(&site.server));
        Self { wire, request: site.request.clone(), batch: site.batch }
    }

    /// Connects, if it can be done now; if not, the next request tries again.
    pub(super) async fn open(&mut self) {
        let _ = timeout(PATIENCE, self.wire.open()).await;
    }

    /// One request about the keys of these numbers. It is sent once, whatever comes of it.
    pub(super) async fn ask(
        &mut self,
        numbers: impl IntoIterator<Item = u64>,
    ) -> Result<Answer, Trouble> {
        self.request.fill(numbers);
        let exchange = timeout(PATIENCE, self.wire.exchange(self.request.bytes())).await;
        let response =
            exchange.map_err(|_| "no answer in time")?.map_err(|error| reason(&error))?;
        if response.status != 200 {
            let status = StatusCode::from_u16(response.status).map_err(|_| "no HTTP")?;
            return Err(status.to_string().into());
        }
        let body = self.wire.body(&response);
        if self.batch == 1 { answer::one(body) } else { answer::many(body, self.batch) }
    }
}

/// The kind of a failure: no text that differs from time to time.
fn reason(error: &io::Error) -> Trouble {
    match error.kind() {
        // Their texts are ours, or about certificates.
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => error.to_string().into(),
        kind => kind.to_string().into(),
    }
}
