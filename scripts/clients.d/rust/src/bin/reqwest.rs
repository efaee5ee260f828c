//! Makes 2,000 checks, eight at a time, with the client of the example; with the argument `away`,
//! one check of a front that is away: the example fails open.

use std::{env, process, sync::Arc};

#[path = "../example.rs"]
mod example;
use example::Limiter;

#[tokio::main]
async fn main() {
    let limiter = Arc::new(Limiter::new(&env::var("RL_SERVER").unwrap()).unwrap());
    let key = format!("reqwest {}", process::id());
    if env::args().nth(2).is_some() {
        assert_eq!(limiter.wait_ms(&key).await, Some(0));
        return;
    }
    let work = |_| {
        let (limiter, key) = (limiter.clone(), key.clone());
        tokio::spawn(async move {
            let mut allowed = 0;
            for _ in 0..250 {
                let decision = limiter.check(&key).await.unwrap();
                assert!(decision.allowed || decision.retry_after_ms.unwrap() > 0);
                allowed += u32::from(decision.allowed);
            }
            allowed
        })
    };
    let mut allowed = 0;
    for worker in (0..8).map(work).collect::<Vec<_>>() {
        allowed += worker.await.unwrap();
    }
    assert!((100..1000).contains(&allowed), "{allowed} allowed");
}
