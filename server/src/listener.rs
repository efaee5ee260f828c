//! The workers of one listener: HTTP/1.1 over the connections of callers, and no other protocol.

use std::{io, net::TcpListener, time::Duration};

use actix_http::HttpService;
use actix_service::{IntoServiceFactory, ServiceFactoryExt, map_config};
use actix_web::{
    App,
    dev::{AppConfig, Server, fn_service},
    middleware::from_fn,
    web::ServiceConfig,
};
use socket2::SockRef;
use tokio::net::TcpStream;

use crate::{
    api,
    caller_stream::{CallerStream, HEAD_TIMEOUT},
    drain::SHUTDOWN_SECONDS,
};

/// The longest a connection is read and discarded after its last response, so that the caller can
/// read the response.
const LINGER: Duration = Duration::from_secs(1);
/// The time after which a connection is closed whose peer has not acknowledged data.
const USER_TIMEOUT: Duration = Duration::from_secs(10);

/// Starts workers on `listener`, each configured on its own thread.
///
/// `HttpServer` of actix-web would do, but for [`CallerStream`].
pub(crate) fn serve(
    listener: TcpListener,
    workers: usize,
    keep_alive: Duration,
    configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> io::Result<Server> {
    listener.set_nonblocking(true)?;
    // Accepted connections inherit the option.
    #[cfg(target_os = "linux")]
    SockRef::from(&listener).set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    let builder = Server::build();
    let shutdown = builder.graceful_shutdown_signal();
    let builder = builder
        .workers(workers)
        .disable_signals()
        .shutdown_timeout(SHUTDOWN_SECONDS)
        .listen("rl-server", listener, move || {
            let (shutdown, configure) = (shutdown.clone(), configure.clone());
            let app = App::new()
                .configure(|config| configure(config))
                .wrap(from_fn(api::observe))
                .into_factory()
                .map_err(|error: actix_web::Error| error.error_response());
            let http = HttpService::build()
                .graceful_shutdown_signal(move || {
                    let shutdown = shutdown.clone();
                    async move { shutdown.notified().await }
                })
                .keep_alive(keep_alive)
                .client_request_timeout(HEAD_TIMEOUT)
                .client_disconnect_timeout(LINGER)
                .h1(map_config(app, |()| AppConfig::default()));
            fn_service(async |stream: TcpStream| {
                // Responses are written whole, and a caller waits for each.
                let _ = stream.set_nodelay(true);
                let peer = stream.peer_addr().ok();
                Ok((CallerStream::new(stream), peer))
            })
            .and_then(http)
        })?;
    Ok(builder.run())
}
