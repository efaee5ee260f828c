//! The requests for a front.

use std::{error::Error, sync::Arc, time::Duration};

use tokio::time::timeout;
use ureq::http::{Response as Head, Uri, header};

use super::{
    connection::{FrontAddress, HttpConnection},
    decode,
};
use crate::{
    bench::{args::BenchArgs, keyspace::KeySpace, template::Template},
    error::ToolError,
    target::{FrontClient, INVALID_REPLY, describe_response},
};

/// A front, and the requests for it.
pub(in crate::bench) struct FrontLoad {
    front: FrontClient,
    pub(super) address: Arc<FrontAddress>,
    pub(super) request: Template,
    /// A request that takes no tokens, for the probe.
    peek: Vec<u8>,
    /// Checks in a request.
    pub(super) batch: usize,
}

/// The longest wait for an answer, or for the connection and the answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
/// The longest body that a front reads.
const MAX_BODY: usize = 1024 * 1024;

// === impl FrontLoad ===

impl FrontLoad {
    /// The requests that the arguments describe.
    pub(in crate::bench) fn new(
        front: FrontClient,
        args: &BenchArgs,
        keyspace: &KeySpace,
    ) -> Result<Self, ToolError> {
        let invalid = |error: &dyn Error| ToolError::usage(format!("--server: {error}"));
        let uri: Uri = front.base_url().parse().map_err(|error| invalid(&error))?;
        let address =
            Arc::new(FrontAddress::new(&uri, front.socket()).map_err(|error| invalid(&*error))?);

        let key = keyspace.key(0);
        let unencodable = |error: serde_json::Error| ToolError::usage(error.to_string());
        let check = serde_json::to_string(&args.body(&key)?).map_err(unencodable)?;
        // The key is the first field, so the first match is the key.
        let quoted = serde_json::to_string(&key).map_err(unencodable)?;
        let end = check.find(&quoted).unwrap_or_default() + quoted.len() - 1;
        let (path, body, ends) = match args.batch {
            1 => ("/check", check.clone(), vec![end]),
            batch => {
                let opening = r#"{"checks":["#;
                let end_of = |n| opening.len() + n * (check.len() + 1) + end;
                let checks = vec![check.as_str(); batch].join(",");
                let ends = (0..batch).map(end_of).collect();
                ("/check/batch", format!("{opening}{checks}]}}"), ends)
            }
        };
        if body.len() > MAX_BODY {
            return Err(ToolError::usage(
                "--batch is too large: a front reads bodies of at most 1 MiB",
            ));
        }
        let head = |path, body| head(&uri, &front, path, body);
        let (head, peek) = (head(path, &body), head("/peek", &check) + &check);
        let ends: Vec<_> = ends.into_iter().map(|end: usize| head.len() + end).collect();
        let request = Template::new((head + &body).into_bytes(), &ends, keyspace.width());
        Ok(Self { front, address, request, peek: peek.into_bytes(), batch: args.batch })
    }

    pub(in crate::bench) fn name(&self) -> &str {
        self.front.name()
    }

    /// Checks that the front answers such requests, without taking tokens.
    pub(in crate::bench) async fn probe(&self) -> Result<(), ToolError> {
        let failed = |reason: &str| ToolError::no_answer(format!("{}: {reason}", self.name()));
        let mut connection = HttpConnection::new(Arc::clone(&self.address));
        let response = timeout(TIMEOUT, connection.exchange(&self.peek)).await;
        let response = response
            .map_err(|_| failed("no answer in time"))?
            .map_err(|error| failed(&error.to_string()))?;
        let body = connection.body(&response);
        if response.status == 200 {
            return decode::check(body).map(drop).map_err(|_| failed(INVALID_REPLY));
        }
        let mut head = Head::builder().status(response.status);
        for (name, value) in
            [(header::CONTENT_TYPE, &response.content_type), (header::LOCATION, &response.location)]
        {
            if let Some(value) = value {
                head = head.header(name, value);
            }
        }
        let head = head.body(()).map_err(|error| failed(&error.to_string()))?;
        let description = describe_response(&head, &String::from_utf8_lossy(body));
        Err(failed(&(description + self.front.hint(head.status()))))
    }
}

/// A request without its body.
fn head(uri: &Uri, front: &FrontClient, path: &str, body: &str) -> String {
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
