//! One worker's way to Redis, whatever there is of it: one server, the primary of a group, a cluster.

use std::{fmt, rc::Rc, sync::Arc};

use futures_util::future::join_all;
use rl_bucket::Decision;

use super::{
    cluster::Cluster,
    command::{Command, Form},
    engine::Engine,
    fault::Fault,
    frame::Reply,
    lane::{Lane, Setback},
    reach::{Place, Reach},
    reply,
    way::Way,
    words::Words,
};
use crate::{
    settings::Topology,
    store::{NotABucket, Request, Unavailable},
};

/// The way of one worker. It belongs to the thread on which it was started.
pub struct Link(Kind);

enum Kind {
    One(Lane),
    Cluster(Cluster),
}

// === impl Link ===

impl Link {
    /// Starts connecting, on this thread's runtime.
    pub fn start(reach: Arc<Reach>) -> Self {
        let topology = reach.settings.address.topology.clone();
        let way = Rc::new(Way::new(reach));
        Self(match topology {
            Topology::Single(host) => Kind::One(Lane::start(Place::Server(host), way)),
            Topology::Sentinel { .. } => Kind::One(Lane::start(Place::Primary, way)),
            Topology::Cluster(nodes) => Kind::Cluster(Cluster::start(nodes, way)),
        })
    }

    /// One check, along with the others of its moment.
    pub(super) async fn check(&self, request: &Request<'_>) -> Result<Decision, Unavailable> {
        let answer = match &self.0 {
            Kind::One(lane) => lane.check(request).await,
            Kind::Cluster(cluster) => cluster.check(request).await,
        };
        answer.map_err(Setback::reason)
    }

    /// Independent checks; at least one.
    pub(super) async fn checks(
        &self,
        requests: &[Request<'_>],
    ) -> Result<Vec<Result<Decision, Unavailable>>, Unavailable> {
        match &self.0 {
            Kind::One(lane) => {
                let read = |reply| reply::each(reply, requests.len());
                let say = |engine: &Engine, form| engine.ask(Command::MCheck, requests, form);
                let each = lane.call(say, read).await.map_err(Setback::reason)?.into_iter();
                Ok(each.map(|answer| answer.map_err(|NotABucket| Unavailable::Failed)).collect())
            }
            // Each of its own: where one node is away, the others' keys have their answers.
            Kind::Cluster(cluster) => {
                let each = join_all(requests.iter().map(|request| cluster.check(request))).await;
                Ok(each.into_iter().map(|answer| answer.map_err(Setback::reason)).collect())
            }
        }
    }

    /// Sends what `say` says about `key`, and others of its slot, and has `read` take the reply, within the
    /// deadline. It is sent at most once, unless Redis says that it did not run.
    pub(super) async fn call<T>(
        &self,
        key: &[u8],
        say: impl Fn(&Engine, Form) -> Words,
        read: impl Fn(Reply) -> Result<T, Fault>,
    ) -> Result<T, Unavailable> {
        let answer = match &self.0 {
            Kind::One(lane) => lane.call(say, read).await,
            Kind::Cluster(cluster) => cluster.call(key, say, read).await,
        };
        answer.map_err(Setback::reason)
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        net::TcpListener,
        sync::Arc,
        time::{Duration, Instant},
    };

    use rl_bucket::{Cost, Limit};
    use tokio::time::sleep;

    use super::{Link, Reach};
    use crate::{
        settings::{EngineChoice, RedisAddress, RedisArgs, RedisSettings},
        status::Status,
        store::{Ask, Request, Unavailable},
    };

    #[actix_web::test]
    async fn a_check_does_not_wait_for_a_connection() {
        let silent = TcpListener::bind("127.0.0.1:0").unwrap(); // connects, never answers
        let address = silent.local_addr().unwrap();
        for kind in ["redis", "redis+cluster"] {
            let address = RedisAddress::parse(&format!("{kind}://{address}")).unwrap();
            let settings = RedisSettings::new(address, &RedisArgs::default()).unwrap();
            let status = Arc::new(Status::redis(1));
            let deadline = Duration::from_secs(60);
            let reach = Reach::new(settings, EngineChoice::Auto, deadline, status.clone());
            let link = Link::start(Arc::new(reach));
            sleep(Duration::from_millis(50)).await;
            let limit = Limit::parse("1", "1").unwrap();
            let request = Request { key: b"k", limit, amount: Cost::ONE };
            let asked = Instant::now();
            assert_eq!(link.ask(Ask::Check, &request).await, Err(Unavailable::Down));
            assert!(asked.elapsed() < Duration::from_secs(1));
            assert!(!status.store_is_up());
        }
    }
}
