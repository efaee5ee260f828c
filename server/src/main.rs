//! `rl-server`: reads the settings, binds, and serves until SIGTERM or SIGINT.

#![forbid(unsafe_code)]

mod bind;
mod cli;
mod environment;
mod help;

use std::{
    env,
    fmt::Display,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use bind::{Bound, Inherited};
use cli::Invocation;
use log::warn;
use mimalloc::MiMalloc;
use rl_bucket::Limit;
use rl_server::{access::Tokens, policy::Policies, reload, settings::Settings, telemetry};
use rl_tools::{bench, simulate};
use tokio::{
    select,
    signal::unix::{SignalKind, signal},
};

/// A request makes about twenty small allocations.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[actix_web::main]
async fn main() -> ExitCode {
    // A usage error prints itself and exits with 2.
    let result = match Invocation::from_args(env::args_os()).unwrap_or_else(|error| error.exit()) {
        Invocation::Serve(settings) => serve(*settings).await,
        Invocation::CheckFiles { policies, tokens } => {
            check_files(policies.as_deref(), tokens.as_deref())
        }
        Invocation::Bench(args) => return bench::execute(&args).await,
        Invocation::Client(command) => return command.execute().await,
        Invocation::Simulate(args) => simulate::run(&args, policy_limit, &mut io::stdout().lock()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // The reader of the output has closed it: not a failure.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "rl-server: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Reports valid files on stdout, or fails with the first error of the first that is invalid.
fn check_files(policies: Option<&Path>, tokens: Option<&Path>) -> io::Result<()> {
    let mut out = io::stdout();
    if let Some(file) = policies {
        let policies = read_policies(file).map_err(io::Error::other)?;
        let (count, hash) = (policies.by_name.len(), &policies.hash);
        writeln!(out, "{}: good, policies: {count}, hash: {hash}", file.display())?;
    }
    if let Some(file) = tokens {
        let tokens = read_file(file, Tokens::read).map_err(io::Error::other)?;
        let (count, hash) = (tokens.len(), tokens.hash());
        writeln!(out, "{}: good, tokens: {count}, hash: {hash}", file.display())?;
    }
    Ok(())
}

/// The limit called `POLICY` or `POLICY:LIMIT` in a policy file.
fn policy_limit(file: &Path, name: &str) -> Result<Limit, String> {
    read_policies(file)?.limit(name).map_err(|reason| format!("{}: {reason}", file.display()))
}

/// Reads a policy file. The error names the file.
fn read_policies(file: &Path) -> Result<Policies, String> {
    read_file(file, Policies::read)
}

/// Reads a file, or standard input for `-`. The error names the file.
fn read_file<T, E: Display>(
    file: &Path,
    parse: impl Fn(&[u8]) -> Result<T, E>,
) -> Result<T, String> {
    let failed = |reason: &dyn Display| format!("{}: {reason}", file.display());
    let is_stdin = file == Path::new("-");
    let content = if is_stdin { reload::read_all(io::stdin()) } else { reload::read(file) };
    let content = content.map_err(|error| failed(&error))?;
    parse(&content).map_err(|error| failed(&error))
}

async fn serve(settings: Settings) -> io::Result<()> {
    telemetry::init(settings.log_format);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // Handled, since by default it ends the process; with files to reload, it reloads them.
    let _hangup = signal(SignalKind::hangup())?;
    let mut inherited = Inherited::from_env();
    let main = bind::bind(&settings.listen, &mut inherited).await?;
    let admin = match &settings.admin_listen {
        Some(address) => Some(bind::bind(address, &mut inherited).await?),
        None => None,
    };
    greet(&main, admin.as_ref(), &settings);
    if main.name.is_every_address() && settings.tokens.is_none() {
        warn!(
            "listening on every address ({}) without tokens: whoever reaches it may spend and \
             reset any key's tokens; set --tokens, or admit only your own services",
            main.name
        );
    }
    let admin = admin.map(|it| it.listener);
    rl_server::run(main.listener, admin, settings, async move {
        select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
    .await
}

/// Prints a line for each listener: its address, and for the first its page and a request to try.
fn greet(main: &Bound, admin: Option<&Bound>, settings: &Settings) {
    let mut out = io::stdout().lock();
    // A closed stdout does not keep the front from serving.
    let _ = writeln!(
        out,
        "rl-server on {} (store: {}). {}",
        main.name.url(),
        settings.store_name(),
        main.name.advice()
    );
    if let Some(admin) = admin {
        let _ = writeln!(out, "rl-server for operators on {}", admin.name.url());
    }
}
