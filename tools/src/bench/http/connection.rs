//! A connection to a front, in plain text or over TLS, or over a Unix socket.

use std::{
    error::Error,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_util::FutureExt;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, UnixStream},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{self, ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName},
};
use ureq::http::Uri;

use super::response::{self, HttpResponse, InvalidResponse, PeerState};

/// Host and port of a front, and the TLS settings if its URL is `https`; or the path of its socket.
pub(super) struct FrontAddress {
    socket: Option<PathBuf>,
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

/// A connection that is opened when it is needed.
pub(super) struct HttpConnection {
    address: Arc<FrontAddress>,
    stream: Option<Box<dyn ByteStream>>,
    input: Vec<u8>,
}

/// TCP, TLS over it, or a Unix socket.
trait ByteStream: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> ByteStream for T {}

/// The least free space in the buffer before each read.
const READ_SIZE: usize = 4096;
const NOT_HTTP: &str = "not an HTTP/1.1 response";
const CLOSED: &str = "the connection was closed without an answer";

// === impl FrontAddress ===

impl FrontAddress {
    pub(super) fn new(uri: &Uri, socket: Option<&Path>) -> Result<Self, Box<dyn Error>> {
        let host = uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let is_https = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
        let tls = if is_https {
            let name = ServerName::try_from(host.clone())?;
            Some((TlsConnector::from(Arc::new(tls_config()?)), name))
        } else {
            None
        };
        Ok(Self { socket: socket.map(Path::to_owned), host, port, tls })
    }

    async fn connect(&self) -> io::Result<Box<dyn ByteStream>> {
        if let Some(path) = &self.socket {
            return Ok(Box::new(UnixStream::connect(path).await?));
        }
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await?;
        stream.set_nodelay(true)?;
        Ok(match &self.tls {
            Some((tls, name)) => Box::new(tls.connect(name.clone(), stream).await?),
            None => Box::new(stream),
        })
    }
}

/// TLS that trusts the authorities which the other subcommands trust too.
fn tls_config() -> Result<ClientConfig, rustls::Error> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    Ok(ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}

// === impl HttpConnection ===

impl HttpConnection {
    pub(super) fn new(address: Arc<FrontAddress>) -> Self {
        Self { address, stream: None, input: Vec::new() }
    }

    pub(super) async fn open(&mut self) -> io::Result<()> {
        self.stream = Some(self.address.connect().await?);
        Ok(())
    }

    /// Sends a request and waits for the response. After a failure, or if the future is dropped,
    /// the stream is not used again.
    pub(super) async fn exchange(&mut self, request: &[u8]) -> io::Result<HttpResponse> {
        let mut stream = match self.stream.take().and_then(idle) {
            Some(stream) => stream,
            None => self.address.connect().await?,
        };
        stream.write_all(request).await?;
        stream.flush().await?;
        self.input.clear();
        loop {
            self.input.reserve(READ_SIZE);
            let peer = match stream.read_buf(&mut self.input).await? {
                0 => PeerState::Closed,
                _ => PeerState::Open,
            };
            let response = response::read(&self.input, peer)
                .map_err(|InvalidResponse| io::Error::new(ErrorKind::InvalidData, NOT_HTTP))?;
            match (response, peer) {
                (Some(response), _) => {
                    self.stream = response.keep_alive.then_some(stream);
                    return Ok(response);
                }
                (None, PeerState::Open) => {}
                (None, PeerState::Closed) => {
                    return Err(io::Error::new(ErrorKind::UnexpectedEof, CLOSED));
                }
            }
        }
    }

    /// The body of the last response.
    pub(super) fn body<'a>(&'a self, response: &'a HttpResponse) -> &'a [u8] {
        response.body(&self.input)
    }
}

/// The stream, unless the peer has closed it or sent something unrequested.
fn idle(mut stream: Box<dyn ByteStream>) -> Option<Box<dyn ByteStream>> {
    let is_idle = stream.read_u8().now_or_never().is_none();
    is_idle.then_some(stream)
}
