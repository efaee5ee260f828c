//! A service that limits its own callers with a token bucket, in a few lines.
//!
//! ```text
//! cargo run -p rl-store --example embed                              # buckets in this process
//! cargo run -p rl-store --example embed redis://127.0.0.1:6379       # shared through Redis
//! ```
//!
//! Over Redis, start it twice at the same time: both together admit no more than the limit.

use std::{env, error::Error, sync::Arc, time::Duration};

use rl_bucket::{Cost, Limit, Op, Outcome};
use rl_store::{
    BucketRequest, Store, StoreHealth,
    bucket_key::{DEFAULT_POLICY, bucket_key},
    memory::MemoryStore,
    redis::{
        Connector, EngineChoice, RedisAddress, RedisOptions, RedisSettings, RedisStore,
        StoreAddress,
    },
};
use tokio::time::sleep;

/// The longest a caller may wait for Redis.
const DEADLINE: Duration = Duration::from_millis(50);

// A store belongs to one thread; a service with several threads starts one on each.
#[tokio::main(flavor = "local")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).unwrap_or_else(|| "memory".to_owned());
    let store = match StoreAddress::parse(&address)? {
        StoreAddress::Memory => Store::Memory(Arc::new(MemoryStore::new())),
        StoreAddress::Redis(address) => Store::Redis(connect(address).await?),
    };

    // Five calls at once, and ten a second after that.
    let limit = Limit::parse("5", "10/s")?;
    let key = bucket_key("user:42", DEFAULT_POLICY, None);
    let request = BucketRequest { key: &key, limit, amount: Cost::ONE };
    for call in 1..=10 {
        match store.apply(Op::Check, &request).await {
            Ok(decision) => match decision.outcome {
                Outcome::Allowed => println!("call {call}: allowed, {} left", decision.remaining),
                Outcome::NotYet { retry_after_ms } => {
                    println!("call {call}: denied, wait {retry_after_ms} ms");
                    sleep(Duration::from_millis(retry_after_ms)).await;
                }
                Outcome::Never => println!("call {call}: denied, it costs more than the capacity"),
            },
            // The store did not decide: the service chooses, for example to let the call through.
            Err(error) => println!("call {call}: {error}"),
        }
    }
    Ok(())
}

/// Starts a store over Redis and waits until it is connected, at most a second.
async fn connect(address: RedisAddress) -> Result<RedisStore, Box<dyn Error>> {
    let settings = RedisSettings::new(address, RedisOptions::default())?;
    let health = Arc::new(StoreHealth::redis(1));
    let connector = Connector::new(settings, EngineChoice::Auto, DEADLINE, health.clone());
    let store = RedisStore::start(Arc::new(connector));
    for _ in 0..100 {
        if health.is_up() {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    Ok(store)
}
