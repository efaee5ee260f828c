//! No Redis at all: what each `on_error` admits meanwhile, across two fronts.

use std::fs;
use std::time::Duration;

use rl_tests::{CheckRequest, Front, History, LimitSource, Load, Record, Setup};
use tempfile::TempDir;

const CAPACITY: u64 = 30;
const RATE: f64 = 50.0;
const POLICIES: &str = r#"
[policies.default]
capacity = 30
rate = "50/s"

[policies.open]
on_error = "open"
capacity = 30
rate = "50/s"

[policies.closed]
on_error = "closed"
capacity = 30
rate = "50/s"
"#;

fn of(history: &History, policy: &'static str) -> History {
    history.only(|record| record.request.limits == LimitSource::Policy(policy))
}

#[test]
fn closed_admits_nothing_local_the_limit_of_each_front_and_open_everything() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("policies.toml");
    fs::write(&file, POLICIES).expect("to write the policy file");
    let mut server = Setup::with_module().start();
    let url = server.url();
    let fronts = [0, 1].map(|_| {
        let config = file.to_str().expect("a path in UTF-8");
        Front::start(&["--store", &url, "--config", config, "--deadline-ms", "250"])
    });
    let load = Load::start(&[&fronts[0], &fronts[1]], 8, |chance| {
        let policy = ["default", "open", "closed"][chance.usize(0..3)];
        CheckRequest { key: "k".to_owned(), limits: LimitSource::Policy(policy), cost: 1 }
    });
    load.run_for_answers(100);
    server.kill();
    let from = load.now();
    load.run_for(Duration::from_secs(2));
    let until = load.now();
    server.start_again();
    let to = load.now();
    load.run_until("all is normal within 2 s", Duration::from_secs(4), |records| {
        let since: Vec<_> = records.iter().rev().take_while(|it| it.start >= to).collect();
        (0..2).all(|front| {
            let mut last = since.iter().filter(|record| record.front == front).take(20).peekable();
            last.peek().is_some() && last.all(|record| record.is_normal())
        }) && since.len() > 100
    });
    let history = load.finish();

    let without = history.only(Record::is_degraded);
    // A front remembers a denial by Redis for a second at most.
    let from = from + Duration::from_secs(1);
    let certain = history.only(|record| record.start > from && record.end < until);
    assert_eq!(
        certain.only(Record::is_normal).len(),
        0,
        "an answer without Redis that does not say so"
    );
    assert!(certain.len() > 100, "{}", certain.len());
    for policy in ["default", "open", "closed"] {
        let by_redis = of(&history, policy).only(Record::is_normal);
        by_redis.assert_within(policy, CAPACITY, RATE, CAPACITY); // the buckets were lost, once
    }
    assert_eq!(of(&without, "closed").admitted(), 0, "closed");
    let open = of(&without, "open");
    assert_eq!(open.admitted(), open.len() as u64, "open");
    let local = of(&without, "default");
    local.assert_within("both fronts", 2 * CAPACITY, 2.0 * RATE, 0);
    for front in 0..2 {
        let its = local.only(|record| record.front == front);
        its.assert_within("one front", CAPACITY, RATE, 0);
        assert!(
            its.admitted() >= CAPACITY.min(its.len() as u64),
            "{} of {}",
            its.admitted(),
            its.len()
        );
    }
}
