//! Scans all buckets of a Redis, to copy them into another.

use std::{collections::HashSet, time::Duration};

use redis::Value;
use rl_bucket::Bucket;
use tokio::time::timeout;

use super::{
    address::{Server, Topology},
    connector::Connector,
    engine::PROBE_KEY,
    error::CommandError,
    resp::{
        connection::Connection,
        encode::CommandBuf,
        reply::{Reply, invalid},
    },
    topology::{sentinel, slot_map},
};

/// A scan of all buckets whose keys match a pattern, page by page. A bucket that exists throughout
/// is found at least once, unless hash slots of a cluster move meanwhile.
pub struct BucketScan {
    pattern: String,
    /// The nodes still to read; the last one is being read.
    nodes: Vec<Connection>,
    /// The position in that node.
    cursor: Vec<u8>,
}

/// The buckets of one page.
#[derive(Debug)]
pub struct ScanPage {
    /// `SET key value PXAT ms NX` for each, as it is sent to a server.
    pub commands: Vec<u8>,
    /// The number of buckets.
    pub buckets: usize,
}

/// Keys in a page, approximately.
const PAGE_SIZE: usize = 250;
/// The longest wait for a reply.
const TIMEOUT: Duration = Duration::from_secs(5);

// === impl BucketScan ===

impl BucketScan {
    /// Connects to each server that may hold buckets. Errors are texts for people and hold no
    /// secret.
    pub async fn open(connector: &Connector, pattern: &str) -> Result<Self, String> {
        let nodes = in_time(connect(connector)).await?;
        Ok(Self { pattern: pattern.to_owned(), nodes, cursor: b"0".to_vec() })
    }

    /// The next page, which may be empty; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<ScanPage>, String> {
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

async fn in_time<T>(work: impl Future<Output = Result<T, CommandError>>) -> Result<T, String> {
    let done = timeout(TIMEOUT, work).await;
    done.unwrap_or_else(|_| Err(CommandError::Broken("no answer in time".to_owned())))
        .map_err(CommandError::reason)
}

/// Connects to the server, to the primary, or to each primary of a cluster.
async fn connect(connector: &Connector) -> Result<Vec<Connection>, CommandError> {
    let secrets = connector.secrets().await?;
    let servers = match &connector.settings.address.topology {
        Topology::Single(server) => vec![server.clone()],
        Topology::Sentinel { .. } => vec![sentinel::primary(connector, &secrets).await?.into()],
        Topology::Cluster(seeds) => {
            let mut map = Err(invalid());
            for seed in seeds {
                map = slot_map::read(connector, seed, &secrets).await;
                if map.is_ok() {
                    break;
                }
            }
            let hosts: HashSet<_> = map?.into_iter().map(|range| range.host).collect();
            hosts.into_iter().map(Server::Host).collect()
        }
    };
    let mut nodes = Vec::new();
    for server in servers {
        nodes.push(connector.connect(&server, &secrets).await?);
    }
    Ok(nodes)
}

/// Reads the keys of a page. Returns the cursor of the next one, and the keys that callers use.
async fn scan(
    node: &Connection,
    cursor: &[u8],
    pattern: &str,
) -> Result<(Vec<u8>, Vec<Vec<u8>>), CommandError> {
    let mut buf = CommandBuf::command(8);
    buf.arg("SCAN");
    buf.arg(cursor);
    buf.arg("MATCH");
    buf.arg(pattern);
    buf.arg("COUNT");
    buf.number(PAGE_SIZE);
    buf.arg("TYPE");
    buf.arg("string");
    let Reply::Other(Value::Array(mut parts)) = node.send(&buf).await? else {
        return Err(invalid());
    };
    let (Some(Value::Array(keys)), Some(Value::BulkString(cursor)), None) =
        (parts.pop(), parts.pop(), parts.pop())
    else {
        return Err(invalid());
    };
    let key = |key| if let Value::BulkString(key) = key { Some(key) } else { None };
    let is_callers = |key: &Vec<u8>| *key != PROBE_KEY.as_bytes();
    Ok((cursor, keys.into_iter().filter_map(key).filter(is_callers).collect()))
}

/// Reads the values of these keys, and keeps the buckets.
async fn read(node: &Connection, keys: &[Vec<u8>]) -> Result<ScanPage, CommandError> {
    let mut buf = CommandBuf::default();
    for key in keys {
        // One byte more than a bucket has, so that a longer value is not taken for one.
        buf.begin(4);
        buf.arg("GETRANGE");
        buf.arg(key);
        buf.number(0);
        buf.number(Bucket::LEN);
    }
    let (mut commands, mut buckets) = (CommandBuf::default(), 0);
    for (key, reply) in keys.iter().zip(node.send_all(&buf, keys.len())) {
        let Reply::Other(Value::BulkString(value)) = reply.await? else {
            return Err(invalid());
        };
        if let Some(bucket) = Bucket::decode(&value) {
            commands.begin(6);
            commands.arg("SET");
            commands.arg(key);
            commands.arg(&value);
            commands.arg("PXAT");
            commands.number(bucket.expires_at_ms());
            commands.arg("NX"); // a bucket that exists already is newer
            buckets += 1;
        }
    }
    Ok(ScanPage { commands: commands.bytes().to_vec(), buckets })
}
