//! The server as a whole: its workers, and how it ends.

use std::{io, net::TcpListener, sync::Arc, time::Duration};

use actix_web::{App, HttpServer, dev::Service, http::ConnectionType, web::Data};
use log::info;
use tokio::{pin, select, time::sleep};

use crate::{
    api,
    limiter::Limiter,
    settings::{Settings, StoreAddress},
    status::Status,
    store::{Store, memory::MemoryStore, redis::Link},
};

/// Longer than load balancers and clients keep an idle connection by default, so that they close it,
/// not we under a request of theirs.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// While draining: how long new requests are still answered, with readiness at 503 and each response
/// closing its connection, so that nobody is cut off who could not know.
const FAREWELL: Duration = Duration::from_millis(500);
/// And then how long requests in flight may take. With the farewell, less than the 8 s promised.
const SHUTDOWN_SECONDS: u64 = 7;

/// Serves on `listener` until `shutdown` resolves, then drains: within 8 seconds.
///
/// Needs a Tokio or actix runtime. It fails if the workers cannot be started; a store that is away
/// is no error.
pub async fn run(
    listener: TcpListener,
    settings: Settings,
    shutdown: impl Future<Output = ()>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let status = Data::new(match settings.store {
        StoreAddress::Memory => Status::memory(),
        StoreAddress::Redis(_) => Status::redis(settings.workers),
    });
    let memory = Arc::new(MemoryStore::new());
    info!("store: {}, workers: {}", settings.store, settings.workers);

    let workers = settings.workers;
    let shared = status.clone();
    let server = HttpServer::new(move || {
        let status = shared.clone();
        App::new()
            .app_data(shared.clone())
            .app_data(Data::new(limiter(&settings, &memory, &shared)))
            .wrap_fn(move |request, service| {
                let status = status.clone();
                let response = service.call(request);
                async move {
                    let mut response = response.await?;
                    if status.is_draining() {
                        let head = response.response_mut().head_mut();
                        head.set_connection_type(ConnectionType::Close);
                    }
                    Ok(response)
                }
            })
            .configure(api::routes)
    })
    .workers(workers)
    .keep_alive(KEEP_ALIVE)
    .tcp_nodelay(true)
    .disable_signals()
    .shutdown_timeout(SHUTDOWN_SECONDS)
    .listen(listener)?
    .run();

    let handle = server.handle();
    pin!(server);
    select! {
        ended = &mut server => return ended,
        () = shutdown => status.drain(),
    }
    select! {
        ended = &mut server => return ended,
        () = sleep(FAREWELL) => {}
    }
    let (ended, ()) = tokio::join!(server, handle.stop(true));
    ended
}

/// The limiter of one worker; it is called on the worker's own thread.
fn limiter(settings: &Settings, memory: &Arc<MemoryStore>, status: &Data<Status>) -> Limiter {
    let store = match &settings.store {
        StoreAddress::Memory => Store::Memory(memory.clone()),
        StoreAddress::Redis(client) => Store::Redis(Link::start(
            client.clone(),
            settings.engine,
            settings.deadline,
            status.clone().into_inner(),
        )),
    };
    Limiter::new(store, memory.clone(), settings.limit)
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
    use crate::settings::Settings;

    #[actix_web::test]
    async fn serves_then_drains() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let settings = Settings::from_args(["rl-server", "--workers", "1"]).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = actix_web::rt::spawn(run(listener, settings, async move {
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
