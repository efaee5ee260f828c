//! The client of progenitor, called once with each outcome.

use std::env;

// The document in OpenAPI 3.0 without the form for proxies: see docs/clients.md.
progenitor::generate_api!(spec = "rl.json");

use types::{Batch, BatchResult, Check, CheckCapacity, CheckRate};

const NAME: &str = "progenitor";

fn of(key: &str, policy: Option<&str>) -> Check {
    let key = key.parse().unwrap();
    Check { key, policy: policy.map(str::to_owned), capacity: None, rate: None, cost: None }
}

#[tokio::main]
async fn main() {
    let client = Client::new(&env::var("RL_SERVER").unwrap());
    let limit = Check {
        capacity: Some(CheckCapacity::Number(1.0)),
        rate: Some(CheckRate::String("1/d".parse().unwrap())),
        ..of(NAME, None)
    };
    let allowed = client.check(&limit).await.unwrap().into_inner();
    assert_eq!((allowed.allowed, allowed.remaining), (true, 0));
    let denied = client.check(&limit).await.unwrap().into_inner();
    assert!(!denied.allowed && denied.retry_after_ms.unwrap() > 80_000_000, "{denied:?}");

    let unknown = client.check(&of(NAME, Some("other"))).await.unwrap_err();
    assert_eq!(unknown.status().unwrap(), 404);
    let capacity_alone = Check { rate: None, ..limit };
    let invalid = client.check(&capacity_alone).await.unwrap_err();
    assert_eq!(invalid.status().unwrap(), 422);

    let checks = vec![of(NAME, None), of(NAME, Some("other"))];
    let results = client.check_batch(&Batch { checks }).await.unwrap().into_inner().results;
    assert!(matches!(&results[0], BatchResult::Decision(decision) if decision.allowed));
    assert!(matches!(&results[1], BatchResult::Problem(problem) if problem.status == 404));
    println!("clients: {NAME}: ok");
}
