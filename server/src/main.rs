//! `rl-server`: reads the settings, binds, serves until SIGTERM or SIGINT.

#![forbid(unsafe_code)]

mod cli;

use std::{
    env,
    fmt::Display,
    io::{self, Write},
    net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener},
    path::Path,
    process::ExitCode,
};

use cli::Invocation;
use mimalloc::MiMalloc;
use rl_bucket::Limit;
use rl_server::{policy::Policies, reload, settings::Settings, telemetry};
use rl_tools::{bench, simulate};
use tokio::{
    net::{self, TcpSocket},
    select,
    signal::unix::{SignalKind, signal},
};

/// A request is some twenty small allocations.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Connections that may wait to be accepted: room for every client to come back at once.
const BACKLOG: u32 = 1024;

#[actix_web::main]
async fn main() -> ExitCode {
    // A usage error prints itself and exits with 2.
    let done = match Invocation::from_args(env::args_os()).unwrap_or_else(|error| error.exit()) {
        Invocation::Serve(settings) => serve(*settings).await,
        Invocation::CheckConfig(file) => check_config(&file),
        Invocation::Bench(args) => return bench::execute(&args).await,
        Invocation::Client(command) => return command.execute().await,
        Invocation::Simulate(args) => simulate::run(&args, policy_limit, &mut io::stdout().lock()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        // Whoever read what we print has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "rl-server: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Says on stdout what a policy file defines, or fails with its first mistake.
fn check_config(file: &Path) -> io::Result<()> {
    let policies = read_policies(file).map_err(io::Error::other)?;
    let (count, hash) = (policies.by_name.len(), &policies.hash);
    writeln!(io::stdout(), "{}: good, policies: {count}, hash: {hash}", file.display())
}

/// The limit called `POLICY` or `POLICY:LIMIT` in a policy file.
fn policy_limit(file: &Path, name: &str) -> Result<Limit, String> {
    read_policies(file)?.limit(name).map_err(|reason| format!("{}: {reason}", file.display()))
}

/// Reads a policy file. The error names it.
fn read_policies(file: &Path) -> Result<Policies, String> {
    let failed = |reason: &dyn Display| format!("{}: {reason}", file.display());
    let content = reload::content(file).map_err(|error| failed(&error))?;
    Policies::read(&content).map_err(|error| failed(&error))
}

async fn serve(settings: Settings) -> io::Result<()> {
    telemetry::init(settings.log_format);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // Taken, so that it ends nobody: it has the files read again, where there are files.
    let _hangup = signal(SignalKind::hangup())?;
    let listener = bind(&settings.listen).await?;
    let admin = match &settings.admin_listen {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    greet(&listener, admin.as_ref(), &settings)?;
    rl_server::run(listener, admin, settings, async move {
        select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
    .await
}

/// Binds the first address of `listen` (`HOST:PORT`) that can be bound.
async fn bind(listen: &str) -> io::Result<TcpListener> {
    let said = |error: io::Error| {
        io::Error::new(error.kind(), format!("cannot listen on {listen}: {error}"))
    };
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in net::lookup_host(listen).await.map_err(said)? {
        match bind_to(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => failure = error,
        }
    }
    Err(said(failure))
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

/// A line on stdout for each listener: where it is, with the port that was really bound, and what to try.
fn greet(main: &TcpListener, admin: Option<&TcpListener>, settings: &Settings) -> io::Result<()> {
    let bound = main.local_addr()?;
    let mut reach = bound;
    if bound.ip().is_unspecified() {
        reach.set_ip(match bound {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let mut out = io::stdout().lock();
    // Nobody reading stdout is no reason not to serve.
    let _ = writeln!(
        out,
        "rl-server on http://{bound} (store: {}). \
         Try: curl -s http://{reach}/check -d '{{\"key\":\"user:42\"}}'",
        settings.store_name()
    );
    if let Some(admin) = admin {
        let _ = writeln!(out, "rl-server for operators on http://{}", admin.local_addr()?);
    }
    Ok(())
}
