//! One request at a time over one connection.

use std::{io, sync::Arc};

use tokio::time::timeout;
use ureq::http::StatusCode;

use super::{
    connection::HttpConnection,
    decode,
    load::{FrontLoad, TIMEOUT},
};
use crate::bench::{
    stats::{CheckCounts, RequestError},
    template::Template,
};

/// Sends one request at a time over a connection that is opened when it is needed.
pub(in crate::bench) struct FrontSender {
    connection: HttpConnection,
    request: Template,
    /// Checks in a request.
    batch: usize,
}

// === impl FrontSender ===

impl FrontSender {
    pub(in crate::bench) fn new(load: &FrontLoad) -> Self {
        Self {
            connection: HttpConnection::new(Arc::clone(&load.address)),
            request: load.request.clone(),
            batch: load.batch,
        }
    }

    /// Connects. If that fails now, the next request tries again.
    pub(in crate::bench) async fn open(&mut self) {
        let _ = timeout(TIMEOUT, self.connection.open()).await;
    }

    /// Sends one request that checks the keys with these numbers. It is never sent again.
    pub(in crate::bench) async fn send(
        &mut self,
        numbers: impl IntoIterator<Item = u64>,
    ) -> Result<CheckCounts, RequestError> {
        self.request.fill(numbers);
        let response = timeout(TIMEOUT, self.connection.exchange(self.request.bytes())).await;
        let response =
            response.map_err(|_| "no answer in time")?.map_err(|error| request_error(&error))?;
        if response.status != 200 {
            let status =
                StatusCode::from_u16(response.status).map_err(|_| "an invalid HTTP status")?;
            return Err(status.to_string().into());
        }
        let body = self.connection.body(&response);
        match self.batch {
            1 => decode::check(body),
            checks => decode::batch(body, checks),
        }
    }
}

/// The kind of an I/O error, without details that vary.
fn request_error(error: &io::Error) -> RequestError {
    match error.kind() {
        // The texts of these are from this crate, or about certificates.
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => error.to_string().into(),
        kind => kind.to_string().into(),
    }
}
