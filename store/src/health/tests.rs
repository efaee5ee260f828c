use super::{EngineKind, StoreHealth};
use crate::redis::{Host, Server};

fn server(name: &str) -> Server {
    Host { name: name.to_owned(), port: 6379 }.into()
}

fn host() -> Server {
    server("redis")
}

#[test]
fn memory_is_always_up() {
    let health = StoreHealth::memory();
    assert!(health.is_up() && health.all_have_been_whole());
    assert_eq!((health.workers_up(), health.workers_down()), (0, 0));
    assert_eq!(health.engine(), EngineKind::Memory);
}

#[test]
fn a_worker_is_up_while_one_of_its_nodes_is() {
    let health = StoreHealth::redis(2);
    let (first, second) = (health.add_worker(), health.add_worker());
    assert!(!health.is_up());
    health.node_up(first, EngineKind::Lua);
    health.node_up(first, EngineKind::Lua);
    health.node_down(first, &host(), "test");
    assert_eq!((health.workers_up(), health.workers_down()), (1, 1));
    assert!(!health.all_have_been_whole());
    health.node_up(second, EngineKind::Module);
    assert_eq!(health.engine(), EngineKind::Module);
    health.node_down(first, &host(), "test");
    assert!(health.is_up() && health.all_have_been_whole());
    health.node_down(second, &host(), "test");
    assert!(!health.is_up() && health.all_have_been_whole());
}

#[test]
fn a_worker_has_been_whole_once_all_of_its_nodes_were_up() {
    let health = StoreHealth::redis(1);
    let worker = health.add_worker();
    health.nodes_needed(worker, 2);
    health.node_up(worker, EngineKind::Module);
    assert!(health.is_up() && !health.all_have_been_whole());
    health.node_up(worker, EngineKind::Module);
    health.node_down(worker, &host(), "test");
    assert!(health.all_have_been_whole());
    // The nodes may be up before it is known that no others are needed.
    let health = StoreHealth::redis(1);
    let worker = health.add_worker();
    health.nodes_needed(worker, 2);
    health.node_up(worker, EngineKind::Module);
    health.nodes_needed(worker, 1);
    assert!(health.all_have_been_whole());
}

#[test]
fn a_server_without_the_engine_is_misconfigured_until_one_is_found() {
    let health = StoreHealth::redis(1);
    let worker = health.add_worker();
    health.misconfigured("test");
    assert!(health.is_misconfigured());
    health.node_up(worker, EngineKind::Module);
    assert!(!health.is_misconfigured());
}

#[test]
fn a_server_refuses_until_it_accepts_or_is_lost() {
    let health = StoreHealth::redis(1);
    let worker = health.add_worker();
    let other = server("other");
    health.node_up(worker, EngineKind::Lua);
    assert_eq!(health.refusal(), None);
    health.accepted(&host());
    for reason in ["OOM", "OOM", "NOREPLICAS"] {
        health.refused(&host(), reason);
        assert_eq!(health.refusal().as_deref(), Some(reason));
    }
    assert_eq!(health.reason().as_deref(), Some("OOM"), "one line in a while");
    assert!(health.is_up() && health.refuses(&host()) && !health.refuses(&other));
    health.accepted(&other);
    assert!(health.refuses(&host()));
    health.accepted(&host());
    assert_eq!(health.refusal(), None);
    health.refused(&host(), "OOM");
    health.node_down(worker, &host(), "test");
    assert_eq!(health.refusal(), None);
}

#[test]
fn the_reason_is_the_last_one_logged() {
    let health = StoreHealth::redis(1);
    let worker = health.add_worker();
    assert_eq!(health.reason(), None);
    health.retrying("refused");
    health.retrying("suppressed");
    assert_eq!(health.reason().as_deref(), Some("refused"));
    health.node_up(worker, EngineKind::Lua);
    health.failed("WRONGTYPE");
    assert_eq!(health.reason().as_deref(), Some("WRONGTYPE"));
    health.node_down(worker, &host(), "closed by peer");
    assert_eq!(health.reason().as_deref(), Some("closed by peer"));
}
