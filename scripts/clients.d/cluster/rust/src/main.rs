//! Calls a line of docs/commands.md with redis-rs: see line.py. All its lines are compiled in, and
//! the job says which.

use std::io;
use std::time::Instant;

use redis::cluster::{ClusterClient, ClusterConnection};
use redis::cluster_read_routing::RandomReplicaStrategy;
use redis::cluster_routing::{Route, RoutingInfo, SingleNodeRoutingInfo, SlotAddr};
use redis::{RedisResult, Value, cmd, from_redis_value};

struct Row {
    make: fn(&str) -> RedisResult<ClusterConnection>,
    line: fn(&mut ClusterConnection, &str, &str) -> RedisResult<Value>,
}

/// Written by run.py from the page.
#[allow(unused_mut, unused_variables)]
const ROWS: &[Row] = &include!("rows.rs");

fn main() {
    let job: serde_json::Value = serde_json::from_reader(io::stdin()).unwrap();
    let row = &ROWS[usize::try_from(job["row"].as_u64().unwrap()).unwrap()];
    let mut client = (row.make)(&format!("redis://127.0.0.1:{}", job["port"])).unwrap();
    let (mut replies, mut errors) = (Vec::new(), Vec::new());
    let start = Instant::now();
    let keys = job["keys"].as_array().unwrap();
    for pair in keys {
        let [key, other] = [&pair[0], &pair[1]].map(|key| key.as_str().unwrap());
        match (row.line)(&mut client, key, other) {
            Ok(Value::Int(reply)) => replies.push(reply.into()),
            Ok(reply) => replies.push(from_redis_value::<Vec<i64>>(reply).unwrap().into()),
            Err(error) => errors.push(error.to_string()),
        }
    }
    let ms = start.elapsed().as_secs_f64() * 1000.0 / keys.len() as f64;
    let replies = serde_json::Value::Array(replies);
    let version = include_str!("../Cargo.toml").split("version = \"=").nth(1).unwrap();
    let version = version.split('"').next().unwrap();
    println!(
        "{}",
        serde_json::json!({"version": version, "replies": replies, "errors": errors, "ms": ms})
    );
}
