//! The typed operations of the store library: equal answers on every store.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use rl_bucket::{Cost, Decision, Limit};
use rl_server::settings::{EngineChoice, RedisAddress, RedisArgs, RedisSettings};
use rl_server::status::Status;
use rl_server::store::memory::MemoryStore;
use rl_server::store::redis::{Link, Reach};
use rl_server::store::{Ask, Request, Store, Unavailable};
use rl_tests::{RedisServer, Setup};

/// A request to a bucket of 10, refilled too slowly to show.
fn request<'a>(key: &'a str, amount: &str) -> Request<'a> {
    Request {
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
    let ask = async |ask, key, amount| {
        brief(
            store.ask(ask, &request(key, amount)).await.unwrap_or_else(|e| panic!("{name}: {e:?}")),
        )
    };
    assert_eq!(ask(Ask::Check, "a", "4").await, (true, 6), "{name}");
    assert_eq!(ask(Ask::Peek, "a", "7").await, (false, 6), "{name}");
    assert_eq!(ask(Ask::Charge, "a", "9").await, (true, -3), "{name}");
    assert_eq!(ask(Ask::Check, "a", "1").await, (false, -3), "{name}");
    assert_eq!(ask(Ask::Refund, "a", "8").await, (true, 5), "{name}");

    let (granted, decision) = store.take(&request("a", "3")).await.expect("a take");
    assert_eq!((granted, brief(decision)), (3, (true, 2)), "{name}");
    let (granted, decision) = store.take(&request("a", "100")).await.expect("a take");
    assert_eq!((granted, brief(decision)), (2, (true, 0)), "{name}");

    let each = store.check_each(&[request("b", "6"), request("a", "1"), request("b", "4")]).await;
    let each: Vec<_> = each.expect("checks").into_iter().map(|one| one.map(brief)).collect();
    assert_eq!(each, [Ok((true, 4)), Ok((false, 0)), Ok((true, 0))], "{name}");

    let all = store.check_all(&[request("c", "2"), request("d", "3")]).await.expect("checks");
    let decisions: Vec<_> = all.decisions.into_iter().map(brief).collect();
    assert_eq!((all.denied, decisions), (None, vec![(true, 8), (true, 7)]), "{name}");
    let all = store.check_all(&[request("c", "2"), request("a", "3")]).await.expect("checks");
    let decisions: Vec<_> = all.decisions.into_iter().map(brief).collect();
    assert_eq!((all.denied, decisions), (Some(1), vec![(true, 8), (false, 0)]), "{name}");

    assert_eq!(store.reset(&[b"a", b"c", b"missing"]).await, Ok(2), "{name}");
    assert_eq!(ask(Ask::Peek, "a", "1").await, (true, 10), "{name}");
}

/// Runs `test` with a connection to `server`, on a runtime of its own as a worker has one.
fn with_link<F: Future<Output = ()>>(
    server: &RedisServer,
    engine: EngineChoice,
    test: impl FnOnce(Store) -> F,
) {
    actix_web::rt::System::new().block_on(async {
        let address = RedisAddress::parse(&server.url()).expect("an address");
        let settings = RedisSettings::new(address, &RedisArgs::default()).expect("settings");
        let status = Arc::new(Status::redis(1));
        let deadline = Duration::from_secs(10);
        let reach = Reach::new(settings, engine, deadline, status.clone());
        let link = Link::start(Arc::new(reach));
        for _ in 0..5_000 {
            if status.store_is_up() {
                break;
            }
            actix_web::rt::time::sleep(Duration::from_millis(2)).await;
        }
        test(Store::Redis(link)).await;
    });
}

#[test]
fn every_store_gives_equal_answers() {
    actix_web::rt::System::new().block_on(async {
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
        with_link(server, engine, async |store| every_operation(&store, name).await);
    }
}

#[test]
fn a_foreign_value_fails_no_other_check() {
    let server = Setup::with_module().start();
    server.run::<()>("SET text hello");
    for engine in [EngineChoice::Module, EngineChoice::Lua] {
        server.run::<i64>("DEL b");
        with_link(&server, engine, async |store| {
            let each = store.check_each(&[request("text", "1"), request("b", "1")]).await;
            let each = each.expect("checks");
            assert!(each[0].is_err(), "{engine:?}");
            assert_eq!(each[1].map(brief), Ok((true, 9)), "{engine:?}");
            let all = store.check_all(&[request("b", "1"), request("text", "1")]).await;
            assert_eq!(all, Err(Unavailable::Failed), "{engine:?}");
            let peek = store.ask(Ask::Peek, &request("b", "1")).await;
            assert_eq!(peek.map(brief), Ok((true, 9)), "{engine:?}");
            assert_eq!(store.reset(&[b"text", b"b"]).await, Ok(1), "{engine:?}");
        });
    }
    assert_eq!(server.run::<String>("GET text"), "hello");
}
