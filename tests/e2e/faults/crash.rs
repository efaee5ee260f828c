//! Killed processes.

use std::time::Duration;

use rl_tests::{CheckRequest, Front, LimitSource, Load, Record, Setup};
use serde_json::Value;

use super::rig::{Buckets, DEADLINE, OUTAGE, Rig};

#[track_caller]
fn redis_dies_and_returns(rig: Rig, buckets: Buckets) {
    rig.endures(OUTAGE, buckets, |rig| rig.server.kill(), |rig| rig.server.start_again())
        .degraded();
}

#[test]
fn a_redis_that_keeps_nothing_costs_at_most_one_capacity() {
    redis_dies_and_returns(Rig::on_module(), Buckets::Lost);
}

#[test]
fn a_redis_that_syncs_every_second_loses_at_most_two() {
    let sync = |setup: Setup| {
        setup.option(&["appendonly", "yes"]).option(&["appendfsync", "everysec"]).start()
    };
    for (setup, engine) in [(Setup::with_module(), "module"), (Setup::plain(), "lua")] {
        let rig = Rig::on(sync(setup), engine, "", DEADLINE);
        redis_dies_and_returns(rig, Buckets::KeptButTheLastTwoSeconds);
    }
}

#[test]
fn one_of_two_fronts_dies_and_no_token_is_lost_or_made() {
    const CLIENTS: usize = 8;
    const CAPACITY: u64 = 1500;
    let server = Setup::with_module().start();
    let url = server.url();
    let fronts = [0, 1].map(|_| Front::start(&["--store", &url, "--deadline-ms", "10000"]));
    let limits = LimitSource::Inline(CAPACITY, "1/d");
    let load = Load::start(&[&fronts[0], &fronts[1]], CLIENTS, move |_| CheckRequest {
        key: "k".to_owned(),
        limits,
        cost: 1,
    });
    load.run_for_answers(500);
    fronts[0].signal("KILL");
    load.run_until("the bucket is empty", Duration::from_secs(60), |records| {
        records
            .iter()
            .rev()
            .take(50)
            .any(|it| it.decision.is_some_and(|decision| !decision.allowed))
    });
    let history = load.finish();
    assert!(history.only(Record::is_degraded).is_empty());
    for front in 0..2 {
        let answered = history.only(|record| record.front == front && record.decision.is_some());
        assert!(answered.admitted() > 50, "front {front}");
    }
    // Checks in flight when it died, at most one a client, may be charged without an answer.
    let admitted = history.admitted();
    assert!((CAPACITY - CLIENTS as u64 / 2..=CAPACITY).contains(&admitted), "{admitted}");
    let left = fronts[1].post("/peek", r#"{"key":"k","capacity":1500,"rate":"1/d"}"#).body;
    assert_eq!((&left["remaining"], &left["degraded"]), (&Value::from(0), &Value::Null));
}
