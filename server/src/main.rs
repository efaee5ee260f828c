//! `rl-server`: reads the settings, binds, serves until SIGTERM or SIGINT.

#![forbid(unsafe_code)]

use std::{
    env,
    io::{self, Write},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    process::ExitCode,
};

use rl_server::{app, settings::Settings, telemetry};
use tokio::{
    net::{self, TcpSocket},
    select,
    signal::unix::{SignalKind, signal},
};

/// Connections that may wait to be accepted: room for every client to come back at once.
const BACKLOG: u32 = 1024;

#[actix_web::main]
async fn main() -> ExitCode {
    // A usage error prints itself and exits with 2.
    let settings = Settings::from_args(env::args_os()).unwrap_or_else(|error| error.exit());
    telemetry::init();
    match serve(settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "rl-server: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(settings: Settings) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let listener = bind(&settings.listen).await.map_err(|error| {
        io::Error::new(error.kind(), format!("cannot listen on {}: {error}", settings.listen))
    })?;
    greet(listener.local_addr()?, &settings);
    app::run(listener, settings, async move {
        select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
    .await
}

/// Binds the first address of `listen` (`HOST:PORT`) that can be bound.
async fn bind(listen: &str) -> io::Result<TcpListener> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in net::lookup_host(listen).await? {
        match bind_to(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn bind_to(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?; // a restart need not wait for old connections to time out
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// The one line on stdout: where it listens and what to try, with the port that was really bound.
fn greet(bound: SocketAddr, settings: &Settings) {
    let mut reach = bound;
    if bound.ip().is_unspecified() {
        reach.set_ip(match bound {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    // Nobody reading stdout is no reason not to serve.
    let _ = writeln!(
        io::stdout(),
        "rl-server on http://{bound} (store: {}). \
         Try: curl -s http://{reach}/check -d '{{\"key\":\"user:42\"}}'",
        settings.store
    );
}
