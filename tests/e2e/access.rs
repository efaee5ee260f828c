//! The typed operations of the store library: equal answers on every store.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rl_bucket::{Cost, Decision, Limit, Op};
use rl_store::memory::MemoryStore;
use rl_store::redis::{
    Connector, EngineChoice, RedisAddress, RedisOptions, RedisSettings, RedisStore,
};
use rl_store::{BucketRequest, Store, StoreError, StoreHealth};
use rl_tests::{RedisServer, Setup};
use tokio::{runtime::LocalRuntime, time::sleep};

/// A request to a bucket of 10, refilled too slowly to show.
fn request<'a>(key: &'a str, amount: &str) -> BucketRequest<'a> {
    BucketRequest {
        key: key.as_bytes(),
        limit: Limit::parse("10", "1/d").expect("a limit"),
        amount: Cost::parse(amount.as_bytes()).expect("an amount"),
    }
}

fn brief(decision: Decision) -> (bool, i64) {
    (decision.is_allowed(), decision.remaining)
}

/// Runs every operation, and asserts every answer.
async fn every_operation(store: &Store, name: &str) {
    let apply = async |op, key, amount| {
        brief(
            store
                .apply(op, &request(key, amount))
                .await
                .unwrap_or_else(|e| panic!("{name}: {e:?}")),
        )
    };
    assert_eq!(apply(Op::Check, "a", "4").await, (true, 6), "{name}");
    assert_eq!(apply(Op::Peek, "a", "7").await, (false, 6), "{name}");
    assert_eq!(apply(Op::Charge, "a", "9").await, (true, -3), "{name}");
    assert_eq!(apply(Op::Check, "a", "1").await, (false, -3), "{name}");
    assert_eq!(apply(Op::Refund, "a", "8").await, (true, 5), "{name}");

    let (granted, decision) = store.take(&request("a", "3")).await.expect("a take");
    assert_eq!((granted, brief(decision)), (3, (true, 2)), "{name}");
    let (granted, decision) = store.take(&request("a", "100")).await.expect("a take");
    assert_eq!((granted, brief(decision)), (2, (true, 0)), "{name}");

    let each = store.check_each(&[request("b", "6"), request("a", "1"), request("b", "4")]).await;
    let each: Vec<_> = each.into_iter().map(|one| one.map(brief)).collect();
    assert_eq!(each, [Ok((true, 4)), Ok((false, 0)), Ok((true, 0))], "{name}");

    let all = store.check_all(&[request("c", "2"), request("d", "3")]).await.expect("checks");
    let decisions: Vec<_> = all.decisions.into_iter().map(brief).collect();
    assert_eq!((all.denied, decisions), (None, vec![(true, 8), (true, 7)]), "{name}");
    let all = store.check_all(&[request("c", "2"), request("a", "3")]).await.expect("checks");
    let decisions: Vec<_> = all.decisions.into_iter().map(brief).collect();
    assert_eq!((all.denied, decisions), (Some(1), vec![(true, 8), (false, 0)]), "{name}");

    assert_eq!(store.reset(&[b"a", b"c", b"missing"]).await, Ok(2), "{name}");
    assert_eq!(apply(Op::Peek, "a", "1").await, (true, 10), "{name}");
}

/// Runs `test` with a store over `server`, on a runtime of its own as a worker has one.
fn with_redis<F: Future<Output = ()>>(
    server: &RedisServer,
    engine: EngineChoice,
    test: impl FnOnce(Store) -> F,
) {
    LocalRuntime::new().expect("a runtime").block_on(async {
        let address = RedisAddress::parse(&server.url()).expect("an address");
        let settings = RedisSettings::new(address, RedisOptions::default()).expect("settings");
        let health = Arc::new(StoreHealth::redis(1));
        let deadline = Duration::from_secs(10);
        let connector = Connector::new(settings, engine, deadline, health.clone());
        let store = RedisStore::start(Arc::new(connector));
        for _ in 0..5_000 {
            if health.is_up() {
                break;
            }
            sleep(Duration::from_millis(2)).await;
        }
        test(Store::Redis(store)).await;
    });
}

#[test]
fn every_store_gives_equal_answers() {
    LocalRuntime::new().expect("a runtime").block_on(async {
        every_operation(&Store::Memory(Arc::new(MemoryStore::new())), "memory").await;
    });
    let (with_module, without) = (Setup::with_module().start(), Setup::plain().start());
    for (server, engine, name) in [
        (&with_module, EngineChoice::Module, "module"),
        (&with_module, EngineChoice::Lua, "lua beside the module"),
        (&without, EngineChoice::Lua, "lua"),
        (&without, EngineChoice::Auto, "auto without the module"),
    ] {
        server.run::<()>("FLUSHALL");
        with_redis(server, engine, async |store| every_operation(&store, name).await);
    }
}

#[test]
fn a_foreign_value_fails_no_other_check() {
    let server = Setup::with_module().start();
    server.run::<()>("SET text hello");
    for engine in [EngineChoice::Module, EngineChoice::Lua] {
        server.run::<i64>("DEL b");
        with_redis(&server, engine, async |store| {
            let each = store.check_each(&[request("text", "1"), request("b", "1")]).await;
            assert!(each[0].is_err(), "{engine:?}");
            assert_eq!(each[1].map(brief), Ok((true, 9)), "{engine:?}");
            let all = store.check_all(&[request("b", "1"), request("text", "1")]).await;
            assert_eq!(all, Err(StoreError::Failed), "{engine:?}");
            let peek = store.apply(Op::Peek, &request("b", "1")).await;
            assert_eq!(peek.map(brief), Ok((true, 9)), "{engine:?}");
            assert_eq!(store.reset(&[b"text", b"b"]).await, Ok(1), "{engine:?}");
        });
    }
    assert_eq!(server.run::<String>("GET text"), "hello");
}
