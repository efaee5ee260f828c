//! Runs a front: loads its files and starts its workers.

use std::{io, path::Path, sync::Arc};

use actix_web::web::{self, Data, ServiceConfig};
use log::info;
use rl_store::{
    Store, StoreHealth,
    bucket_key::Pseudonyms,
    file::FileReader,
    memory::MemoryStore,
    redis::{Connector, RedisStore},
};

use crate::{
    api::{self, Access, Observer},
    config_files,
    denials::DenialCache,
    drain,
    limiter::{Limiter, Shared},
    listener::{Listener, serve},
    metrics::Metrics,
    offenders::Offenders,
    settings::Settings,
    status::Status,
};

/// Serves on `listener`, and on `admin` for operators if there is one, until `shutdown` resolves;
/// then drains, within 8 seconds.
///
/// Needs a Tokio or actix runtime. Fails if a file of the settings is invalid or the workers cannot
/// be started; a store that is away is no error.
pub async fn run(
    listener: Listener,
    admin: Option<Listener>,
    settings: Settings,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    let state = State::new(&settings)?;
    info!("store: {}, workers: {}", settings.store_name(), settings.workers);
    let (workers, keep_alive) = (settings.workers, settings.keep_alive);
    let has_admin = admin.is_some();
    let main = {
        let state = state.clone();
        serve(listener, workers, keep_alive, move |config| {
            state.add_data(config);
            config.app_data(Data::new(state.limiter()));
            if !has_admin {
                api::admin_routes(config);
            }
            api::routes(config);
        })?
    };
    let admin = admin.map(|listener| {
        let state = state.clone();
        serve(listener, 1, keep_alive, move |config| {
            state.add_data(config);
            api::admin_routes(config);
            api::health_routes(config);
            config.default_service(web::to(api::not_found));
        })
    });
    drain::until(shutdown, main, admin.transpose()?, &state.status).await
}

/// The state that workers share.
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
    /// Loads the files that the settings name, and watches them as the settings say.
    fn new(settings: &Settings) -> io::Result<Self> {
        let metrics = Arc::new(Metrics::new());
        let when = settings.reload;
        let policies =
            config_files::policies(&settings.policies, when, &metrics).map_err(io::Error::other)?;
        let tokens = settings.tokens.as_deref();
        let tokens = tokens.map(|path| config_files::tokens(path, when, &metrics)).transpose();
        let secret = settings.key_secret.as_deref();
        let pseudonyms = secret
            .map_or_else(|| Ok(Pseudonyms::plain()), read_secret)
            .map_err(|error| io::Error::other(format!("--key-secret-file {error}")))?;
        let health = Arc::new(match settings.store {
            None => StoreHealth::memory(),
            Some(_) => StoreHealth::redis(settings.workers),
        });
        let status = Arc::new(Status::new(health.clone()));
        let local = Arc::new(MemoryStore::with_limit(settings.memory_limit));
        metrics.add_memory(local.clone());
        let shared = Shared {
            local,
            policies,
            pseudonyms,
            denials: DenialCache::new(),
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

    /// Adds the data that handlers extract.
    fn add_data(&self, config: &mut ServiceConfig) {
        config
            .app_data(Data::from(self.status.clone()))
            .app_data(Data::from(self.metrics.clone()))
            .app_data(Data::from(self.observer.clone()))
            .app_data(Data::from(self.access.clone()))
            .app_data(Data::from(self.shared.policies.clone()))
            .app_data(Data::from(self.shared.offenders.clone()));
    }

    /// The limiter of one worker. Must be called on the worker's own thread.
    fn limiter(&self) -> Limiter {
        let store = match &self.connector {
            None => Store::Memory(self.shared.local.clone()),
            Some(connector) => Store::Redis(RedisStore::start(connector.clone())),
        };
        Limiter::new(store, self.shared.clone())
    }
}

/// Reads a key secret. It blocks for at most three seconds.
fn read_secret(file: &Path) -> Result<Pseudonyms, String> {
    let path = file.to_owned();
    FileReader::new().run_blocking(move || Pseudonyms::read(&path))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use rl_bucket::Limit;
    use rl_store::redis::EngineChoice;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
        sync::oneshot,
    };

    use super::{Listener, run};
    use crate::{
        listen_address::ListenAddress,
        reload::Reload,
        settings::{PolicySource, Settings},
        telemetry::LogFormat,
    };

    #[actix_web::test]
    async fn a_request_half_sent_at_shutdown_is_answered() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let settings = Settings {
            listen: ListenAddress::Tcp(address.to_string()),
            admin_listen: None,
            store: None,
            engine: EngineChoice::Auto,
            policies: PolicySource::Flags(Limit::parse("100", "100/m").unwrap()),
            tokens: None,
            reload: Reload::Change,
            memory_limit: 1_000_000,
            key_secret: None,
            deadline: std::time::Duration::from_millis(50),
            workers: 1,
            keep_alive: std::time::Duration::from_secs(620),
            log_format: LogFormat::Text,
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let server =
            actix_web::rt::spawn(run(Listener::Tcp(listener), None, settings, async move {
                let _ = stopped.await;
            }));

        let body = r#"{"key":"k"}"#;
        let head =
            format!("POST /check HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(format!("{head}{body}{head}").as_bytes()).await.unwrap();
        let mut status_line = [0; 12];
        client.read_exact(&mut status_line).await.unwrap();
        assert_eq!(&status_line, b"HTTP/1.1 200");

        // The second request is half sent when the front shuts down. It is answered in full.
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
