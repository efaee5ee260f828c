//! All buckets of a Redis, to put them into another.

use std::{collections::HashSet, time::Duration};

use redis::Value;
use rl_bucket::Bucket;
use tokio::time::timeout;

use super::{
    fault::Fault, frame::Reply, reach::Reach, reply, sentinel, shares, wire::Wire, words::Words,
};
use crate::settings::Topology;

/// All buckets whose keys match a pattern, page by page. One that is there from beginning to end is met at least
/// once; where slots of a cluster move meanwhile, perhaps not.
pub struct Buckets {
    pattern: String,
    /// Nodes that were not read to their end, the one being read last.
    nodes: Vec<Wire>,
    /// Where to go on.
    cursor: Vec<u8>,
}

/// Some of them.
#[derive(Debug)]
pub struct Page {
    /// `SET key value PXAT ms NX` for each, as it goes over the wire.
    pub commands: Vec<u8>,
    /// How many.
    pub buckets: usize,
}

/// Keys of a page, more or less.
const PAGE: usize = 250;
/// For each answer.
const PATIENCE: Duration = Duration::from_secs(5);

// === impl Buckets ===

impl Buckets {
    /// Connects to each server that has some. Errors are for people, and hold no secret.
    pub async fn open(reach: &Reach, pattern: &str) -> Result<Self, String> {
        let nodes = in_time(connect(reach)).await?;
        Ok(Self { pattern: pattern.to_owned(), nodes, cursor: b"0".to_vec() })
    }

    /// The next page, which may be empty; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Page>, String> {
        let Some(node) = self.nodes.last() else { return Ok(None) };
        let (cursor, keys) = in_time(scan(node, &self.cursor, &self.pattern)).await?;
        let page = in_time(read(node, &keys)).await?;
        if cursor == b"0" {
            self.nodes.pop();
        }
        self.cursor = cursor;
        Ok(Some(page))
    }
}

async fn in_time<T>(doing: impl Future<Output = Result<T, Fault>>) -> Result<T, String> {
    let done = timeout(PATIENCE, doing).await;
    done.unwrap_or_else(|_| Err(Fault::Broken("no answer in time".to_owned())))
        .map_err(Fault::reason)
}

/// To the server, the primary, or the primary of each share of a cluster.
async fn connect(reach: &Reach) -> Result<Vec<Wire>, Fault> {
    let secrets = reach.secrets().await?;
    let hosts = match &reach.settings.address.topology {
        Topology::Single(host) => vec![host.clone()],
        Topology::Sentinel { .. } => vec![sentinel::primaries(reach, &secrets).await?.remove(0)],
        Topology::Cluster(seeds) => {
            let mut told = Err(reply::nonsense());
            for seed in seeds {
                told = shares::ask(reach, seed, &secrets).await;
                if told.is_ok() {
                    break;
                }
            }
            let hosts: HashSet<_> = told?.into_iter().map(|share| share.host).collect();
            hosts.into_iter().collect()
        }
    };
    let mut nodes = Vec::new();
    for host in hosts {
        nodes.push(reach.connect(&host, &secrets).await?);
    }
    Ok(nodes)
}

/// The cursor of the next page, and the keys of this one.
async fn scan(node: &Wire, cursor: &[u8], pattern: &str) -> Result<(Vec<u8>, Vec<Vec<u8>>), Fault> {
    let mut words = Words::command(8);
    words.word("SCAN");
    words.word(cursor);
    words.word("MATCH");
    words.word(pattern);
    words.word("COUNT");
    words.number(PAGE);
    words.word("TYPE");
    words.word("string");
    let Reply::Other(Value::Array(mut parts)) = node.send(&words).await? else {
        return Err(reply::nonsense());
    };
    let (Some(Value::Array(keys)), Some(Value::BulkString(cursor)), None) =
        (parts.pop(), parts.pop(), parts.pop())
    else {
        return Err(reply::nonsense());
    };
    let key = |key| if let Value::BulkString(key) = key { Some(key) } else { None };
    Ok((cursor, keys.into_iter().filter_map(key).collect()))
}

/// Of these keys the buckets.
async fn read(node: &Wire, keys: &[Vec<u8>]) -> Result<Page, Fault> {
    let mut words = Words::default();
    for key in keys {
        // One byte more than a bucket has: what is longer is none, however long.
        words.begin(4);
        words.word("GETRANGE");
        words.word(key);
        words.number(0);
        words.number(Bucket::LEN);
    }
    let (mut commands, mut buckets) = (Words::default(), 0);
    for (key, reply) in keys.iter().zip(node.send_all(&words, keys.len())) {
        let Reply::Other(Value::BulkString(value)) = reply.await? else {
            return Err(reply::nonsense());
        };
        if let Some(bucket) = Bucket::decode(&value) {
            commands.begin(6);
            commands.word("SET");
            commands.word(key);
            commands.word(&value);
            commands.word("PXAT");
            commands.number(bucket.expires_at_ms());
            commands.word("NX"); // what is there already is newer
            buckets += 1;
        }
    }
    Ok(Page { commands: commands.bytes().to_vec(), buckets })
}
