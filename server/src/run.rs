//! Runs a front: reads its files, starts its workers.

use std::{io, net::TcpListener, path::Path, sync::Arc, time::Duration};

use actix_web::{
    App, HttpServer,
    dev::Server,
    middleware::from_fn,
    rt,
    web::{self, Data, ServiceConfig},
};
use log::{error, info};
use rl_store::{
    Store, StoreHealth,
    bucket_key::Pseudonyms,
    memory::MemoryStore,
    redis::{Connector, RedisStore},
};
use socket2::SockRef;

use crate::{
    access::Tokens,
    api::{self, Access, Observer},
    denials::Denials,
    drain::{self, SHUTDOWN_SECONDS},
    limiter::{ActivePolicies, Limiter, Shared},
    metrics::Metrics,
    offenders::Offenders,
    policy::Policies,
    reload::{Reload, ReloadOutcome, Reloadable, WatchedFile},
    settings::{PolicySource, Settings},
    status::Status,
};

/// Longer than load balancers and clients keep an idle connection by default, so that they close it,
/// not we under a request of theirs.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// The time after which a connection is closed whose peer has not acknowledged data.
const USER_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves on `listener`, and for operators on `admin` if there is one, until `shutdown` resolves; then
/// drains, within 8 seconds.
///
/// Needs a Tokio or actix runtime. It fails if a file of the settings is bad or the workers cannot be
/// started; a store that is away is no error.
pub async fn run(
    listener: TcpListener,
    admin: Option<TcpListener>,
    settings: Settings,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let state = State::new(&settings)?;
    info!("store: {}, workers: {}", settings.store_name(), settings.workers);
    let workers = settings.workers;
    let has_admin = admin.is_some();
    let servers = {
        let (state, inner) = (state.clone(), state.clone());
        let main = serve(listener, workers, move |config| {
            inner.provide(config);
            config.app_data(Data::new(inner.limiter()));
            if !has_admin {
                api::admin_routes(config);
            }
            api::routes(config);
        })?;
        let admin = admin.map(|listener| {
            serve(listener, 1, move |config| {
                state.provide(config);
                api::admin_routes(config);
                api::health_routes(config);
                config.default_service(web::to(api::not_found));
            })
        });
        (main, admin.transpose()?)
    };
    drain::until(shutdown, servers.0, servers.1, &state.status).await
}

/// What the workers share.
#[derive(Clone)]
struct State {
    status: Arc<Status>,
    metrics: Arc<Metrics>,
    observer: Arc<Observer>,
    access: Arc<Access>,
    shared: Arc<Shared>,
    /// The connector, if the store is Redis.
    connector: Option<Arc<Connector>>,
}

// === impl State ===

impl State {
    /// Reads the files that the settings name, and from now on as they say.
    fn new(settings: &Settings) -> io::Result<Self> {
        let metrics = Arc::new(Metrics::new());
        let when = settings.reload;
        let policies = policies(&settings.policies, when, &metrics).map_err(io::Error::other)?;
        let tokens =
            settings.tokens.as_deref().map(|path| tokens(path, when, &metrics)).transpose();
        let names = settings
            .key_secret
            .as_deref()
            .map_or_else(|| Ok(Pseudonyms::plain()), Pseudonyms::read);
        let names =
            names.map_err(|error| io::Error::other(format!("--key-secret-file {error}")))?;
        let health = Arc::new(match settings.store {
            None => StoreHealth::memory(),
            Some(_) => StoreHealth::redis(settings.workers),
        });
        let status = Arc::new(Status::new(health.clone()));
        let shared = Shared {
            local: Arc::new(MemoryStore::new()),
            policies,
            pseudonyms: names,
            denials: Denials::new(),
            offenders: Arc::new(Offenders::new()),
            metrics: metrics.clone(),
        };
        let connector = settings.store.clone().map(|redis| {
            Arc::new(Connector::new(redis, settings.engine, settings.deadline, health))
        });
        Ok(Self {
            connector,
            observer: Arc::new(Observer::new(metrics.clone(), status.clone())),
            access: Arc::new(tokens.map_err(io::Error::other)?),
            shared: Arc::new(shared),
            metrics,
            status,
        })
    }

    /// Gives handlers what they ask for.
    fn provide(&self, config: &mut ServiceConfig) {
        config
            .app_data(Data::from(self.status.clone()))
            .app_data(Data::from(self.metrics.clone()))
            .app_data(Data::from(self.observer.clone()))
            .app_data(Data::from(self.access.clone()))
            .app_data(Data::from(self.shared.policies.clone()))
            .app_data(Data::from(self.shared.offenders.clone()));
    }

    /// The limiter of one worker; it is called on the worker's own thread.
    fn limiter(&self) -> Limiter {
        let store = match &self.connector {
            None => Store::Memory(self.shared.local.clone()),
            Some(connector) => Store::Redis(RedisStore::start(connector.clone())),
        };
        Limiter::new(store, self.shared.clone())
    }
}

/// The policies in force.
fn policies(
    source: &PolicySource,
    when: Reload,
    metrics: &Arc<Metrics>,
) -> Result<Arc<Reloadable<ActivePolicies>>, String> {
    let report = {
        let metrics = metrics.clone();
        move |policies: &ActivePolicies| metrics.keep_policies(policies.names())
    };
    match source {
        PolicySource::Flags(limit) => {
            let policies = ActivePolicies::new(Policies::without_file(*limit), metrics);
            metrics.loaded("policies", 1, policies.hash(), None);
            Ok(Arc::new(Reloadable::new(policies)))
        }
        PolicySource::File(path) => {
            let read = metrics.clone();
            let read = move |file: &[u8]| match Policies::read(file) {
                Ok(policies) => Ok(ActivePolicies::new(policies, &read)),
                Err(error) => Err(error.to_string()),
            };
            follow("policies", path, when, metrics, read, ActivePolicies::hash, report)
        }
    }
}

/// The tokens in force.
fn tokens(
    path: &Path,
    when: Reload,
    metrics: &Arc<Metrics>,
) -> Result<Arc<Reloadable<Tokens>>, String> {
    follow("tokens", path, when, metrics, Tokens::read, Tokens::hash, |_| {})
}

/// Reads a file, and from now on as `when` says; tells the metrics, and `in_force`
/// what holds then: of a refused content, nothing.
fn follow<T: Send + Sync + 'static>(
    what: &'static str,
    path: &Path,
    when: Reload,
    metrics: &Arc<Metrics>,
    read: impl Fn(&[u8]) -> Result<T, String> + Send + 'static,
    hash: fn(&T) -> &str,
    in_force: impl Fn(&T) + 'static,
) -> Result<Arc<Reloadable<T>>, String> {
    let source = WatchedFile::open(path, read)?;
    let live = source.live();
    let mut before = hash(&live.get()).to_owned();
    metrics.loaded(what, live.generation(), &before, None);
    info!("{what}: hash {before}");
    let (metrics, seen, path) = (metrics.clone(), live.clone(), path.display().to_string());
    rt::spawn(source.follow(when, move |change| {
        let (value, generation) = (seen.get(), seen.generation());
        match change {
            ReloadOutcome::Loaded => {
                metrics.loaded(what, generation, hash(&value), Some(&before));
                hash(&value).clone_into(&mut before);
                info!("{what} reloaded: generation {generation}, hash {before}");
            }
            ReloadOutcome::Refused(reason) => {
                metrics.refused(what);
                error!("{what} refused, generation {generation} stays: {path}: {reason}");
            }
        }
        in_force(&value);
    }));
    Ok(live)
}

/// Starts workers on `listener`, each configured on its own thread.
fn serve(
    listener: TcpListener,
    workers: usize,
    configure: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> io::Result<Server> {
    listener.set_nonblocking(true)?;
    // Connections inherit it.
    #[cfg(target_os = "linux")]
    SockRef::from(&listener).set_tcp_user_timeout(Some(USER_TIMEOUT))?;
    let server = HttpServer::new(move || {
        App::new().configure(|config| configure(config)).wrap(from_fn(api::observe))
    })
    .workers(workers)
    .keep_alive(KEEP_ALIVE)
    .tcp_nodelay(true)
    .disable_signals()
    .shutdown_timeout(SHUTDOWN_SECONDS)
    .listen_auto_h2c(listener)?;
    Ok(server.run())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        sync::oneshot,
    };

    use super::run;
    use rl_bucket::Limit;
    use rl_store::redis::EngineChoice;

    use crate::{
        reload::Reload,
        settings::{PolicySource, Settings},
        telemetry::LogFormat,
    };

    #[actix_web::test]
    async fn serves_then_drains() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let settings = Settings {
            listen: address.to_string(),
            admin_listen: None,
            store: None,
            engine: EngineChoice::Auto,
            policies: PolicySource::Flags(Limit::parse("100", "100/m").unwrap()),
            tokens: None,
            reload: Reload::Change,
            key_secret: None,
            deadline: std::time::Duration::from_millis(50),
            workers: 1,
            log_format: LogFormat::Text,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let server = actix_web::rt::spawn(run(listener, None, settings, async move {
            let _ = stopped.await;
        }));

        let body = r#"{"key":"k"}"#;
        let head =
            format!("POST /check HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(format!("{head}{body}{head}").as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");

        // The second request is half sent when the server is told to stop: it is answered in full.
        stop.send(()).unwrap();
        client.write_all(body.as_bytes()).await.unwrap();
        let mut rest = String::new();
        client.read_to_string(&mut rest).await.unwrap();
        let (_, second) = rest.split_once("HTTP/1.1 200").unwrap();
        assert!(second.contains(r#""remaining":98"#), "{second}");
        server.await.unwrap().unwrap();
        assert!(TcpStream::connect(address).await.is_err());
    }
}
