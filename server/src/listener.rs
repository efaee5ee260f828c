//! The workers of one listener: HTTP/1.1 over the connections of callers, and no other protocol.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    os::unix::net::UnixListener,
    time::Duration,
};

use actix_http::{HttpService, error::DispatchError};
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt, map_config};
use actix_web::{
    App,
    dev::{AppConfig, Server, fn_service},
    middleware::from_fn,
    web::ServiceConfig,
};
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
};

use crate::{
    api,
    caller_stream::{CallerStream, HEAD_TIMEOUT},
    drain::SHUTDOWN_SECONDS,
    unix_socket::SocketFile,
};

/// A socket that accepts callers.
#[derive(Debug)]
pub enum Listener {
    /// At an address and port.
    Tcp(TcpListener),
    /// At a path.
    Unix {
        /// The file there, if this process has made it. It is dropped before the socket.
        file: Option<SocketFile>,
        /// The socket.
        socket: UnixListener,
    },
}

/// The name of the threads' listener, in the log of actix.
const NAME: &str = "rl-server";
/// The longest a connection is read and discarded after its last response, so that the caller can
/// read the response.
const LINGER: Duration = Duration::from_secs(1);
/// The time after which a connection is closed whose peer has not acknowledged data.
const USER_TIMEOUT: Duration = Duration::from_secs(10);

/// Starts workers on `listener`, each configured on its own thread. Returns the file of the socket
/// too, to be removed before they stop.
///
/// `HttpServer` of actix-web would do, but for [`CallerStream`].
pub(crate) fn serve(
    listener: Listener,
    workers: usize,
    keep_alive: Duration,
    configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> io::Result<(Server, Option<SocketFile>)> {
    let builder = Server::build();
    let shutdown = builder.graceful_shutdown_signal();
    let shutdown = move || {
        let shutdown = shutdown.clone();
        async move { shutdown.notified().await }
    };
    let builder = builder.workers(workers).disable_signals().shutdown_timeout(SHUTDOWN_SECONDS);
    let (builder, file) = match listener {
        Listener::Tcp(listener) => {
            // Accepted connections inherit the option.
            #[cfg(target_os = "linux")]
            SockRef::from(&listener).set_tcp_user_timeout(Some(USER_TIMEOUT))?;
            let builder = builder.listen(NAME, listener, move || {
                fn_service(async |stream: TcpStream| {
                    // Responses are written whole, and a caller waits for each.
                    let _ = stream.set_nodelay(true);
                    Ok((CallerStream::new(stream), None))
                })
                .and_then(http(keep_alive, configure.clone(), shutdown.clone()))
            })?;
            (builder, None)
        }
        Listener::Unix { file, socket } => {
            let builder = builder.listen_uds(NAME, socket, move || {
                fn_service(async |stream: UnixStream| Ok((CallerStream::new(stream), None)))
                    .and_then(http(keep_alive, configure.clone(), shutdown.clone()))
            })?;
            (builder, file)
        }
    };
    Ok((builder.run(), file))
}

/// The service of one worker, over connections of either kind. No handler asks for the address of
/// a connection.
fn http<S, F>(
    keep_alive: Duration,
    configure: impl Fn(&mut ServiceConfig),
    shutdown: impl Fn() -> F + 'static,
) -> impl ServiceFactory<
    (CallerStream<S>, Option<SocketAddr>),
    Config = (),
    Response = (),
    Error = DispatchError,
    InitError = (),
>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    F: Future<Output = ()> + 'static,
{
    let app = App::new()
        .configure(|config| configure(config))
        .wrap(from_fn(api::observe))
        .into_factory()
        .map_err(|error: actix_web::Error| error.error_response());
    HttpService::build()
        .graceful_shutdown_signal(shutdown)
        .keep_alive(keep_alive)
        .client_request_timeout(HEAD_TIMEOUT)
        .client_disconnect_timeout(LINGER)
        .h1(map_config(app, |()| AppConfig::default()))
}
