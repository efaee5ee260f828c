//! A connection to a front, in the clear or in TLS.

use std::{
    error::Error,
    io::{self, ErrorKind},
    sync::Arc,
};

use futures_util::FutureExt;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{self, ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};
use ureq::http::Uri;

use super::response::{self, Nonsense, Response};

/// Where a front is.
pub(super) struct Server {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// A connection, if there is one now.
pub(super) struct Wire {
    server: Arc<Server>,
    stream: Option<Box<dyn Stream>>,
    input: Vec<u8>,
}

/// TCP, or TLS over it.
trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Stream for T {}

const ROOM: usize = 4096;
const NO_HTTP: &str = "it speaks no HTTP/1.1";
const NO_ANSWER: &str = "the connection was closed without an answer";

// === impl Server ===

impl Server {
    pub(super) fn new(uri: &Uri) -> Result<Self, Box<dyn Error>> {
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let is_https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let tls = if is_https {
            let name = ServerName::try_from(host.clone())?;
            Some((TlsConnector::from(Arc::new(trust()?)), name))
        } else {
            None
        };
        Ok(Self { host, port, tls })
    }

    async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        Ok(match &self.tls {
            Some((tls, name)) => Box::new(tls.connect(name.clone(), stream).await?),
            None => Box::new(stream),
        })
    }
}

/// Those authorities that the other subcommands trust too.
fn trust() -> Result<ClientConfig, rustls::Error> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

// === impl Wire ===

impl Wire {
    pub(super) fn new(server: Arc<Server>) -> Self {
        Self { server, stream: None, input: Vec::new() }
    }

    pub(super) async fn open(&mut self) -> io::Result<()> {
        self.stream = Some(self.server.connect().await?);
        Ok(())
    }

    /// Sends a request, and waits for the response. After a failure, or when this is given up in
    /// between, the connection is not used again.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> io::Result<Response> {
        let mut stream = match self.stream.take().and_then(quiet) {
            Some(stream) => stream,
            None => self.server.connect().await?,
        };
        stream.write_all(request).await?;
        stream.flush().await?;
        self.input.clear();
        loop {
            self.input.reserve(ROOM);
            let closed = stream.read_buf(&mut self.input).await? == 0;
            let response = response::read(&self.input, closed)
                .map_err(|Nonsense| io::Error::new(ErrorKind::InvalidData, NO_HTTP))?;
            match response {
                Some(response) => {
                    self.stream = response.keep.then_some(stream);
                    return Ok(response);
                }
                None if closed => return Err(io::Error::new(ErrorKind::UnexpectedEof, NO_ANSWER)),
                None => {}
            }
        }
    }

    /// The body of the last response.
    pub(super) fn body<'a>(&'a self, response: &'a Response) -> &'a [u8] {
        response.body(&self.input)
    }
}

/// A connection that the other side has not closed meanwhile; nor has it said anything unasked.
fn quiet(mut stream: Box<dyn Stream>) -> Option<Box<dyn Stream>> {
    let is_quiet = stream.read_u8().now_or_never().is_none();
    is_quiet.then_some(stream)
}
