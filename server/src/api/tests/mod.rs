//! Requests to the routes of a whole server, without a socket.

mod access;
mod responses;

use std::sync::Arc;

use actix_web::{
    App,
    http::{Method, header},
    middleware::from_fn,
    test::{TestRequest, call_service, init_service, read_body},
    web::{self, Data},
};
use rl_store::{Store, StoreHealth, memory::MemoryStore};

use super::{
    admin_routes,
    auth::Access,
    observe::{Observer, observe},
    routes,
};
use crate::{
    access::Tokens,
    limiter::{ActivePolicies, Limiter, Shared},
    metrics::Metrics,
    policy::Policies,
    reload::Reloadable,
    status::Status,
};

const POLICIES: &str = r#"
    inline = true
    [policies.default]
    capacity = 100
    rate = "100/m"
    [policies.shadow]
    capacity = 1
    rate = "1/d"
    mode = "shadow"
    [policies.two]
    limits = [
      { name = "burst", capacity = 2, rate = "1/h" },
      { name = "day", capacity = 5, rate = "5/d" },
    ]
"#;

/// A server, by default with `POLICIES` and without tokens.
pub(super) struct Server {
    status: Arc<Status>,
    metrics: Arc<Metrics>,
    shared: Arc<Shared>,
    access: Access,
}

/// A response, with its headers sorted in one text.
#[derive(Debug, PartialEq)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) kind: String,
    pub(super) headers: String,
    pub(super) body: String,
}

/// The status of a front over memory.
pub(super) fn status() -> Status {
    Status::new(Arc::new(StoreHealth::memory()))
}

impl Server {
    pub(super) fn new(status: Status) -> Self {
        Self::with(status, POLICIES, None)
    }

    fn with(status: Status, policies: &str, tokens: Option<&str>) -> Self {
        let metrics = Arc::new(Metrics::new());
        let policies = Policies::read(policies.as_bytes()).unwrap();
        let policies = ActivePolicies::new(policies, &metrics);
        let shared = Shared {
            local: Arc::new(MemoryStore::new()),
            policies: Arc::new(Reloadable::new(policies)),
            pseudonyms: Default::default(),
            denials: Default::default(),
            offenders: Default::default(),
            metrics: metrics.clone(),
        };
        let tokens = tokens.map(|file| Tokens::read(file.as_bytes()).unwrap());
        Self {
            status: Arc::new(status),
            metrics,
            shared: Arc::new(shared),
            access: tokens.map(|tokens| Arc::new(Reloadable::new(tokens))),
        }
    }

    /// Sends a request, and checks the headers that every response has.
    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Response {
        let store = Store::Memory(self.shared.local.clone());
        let observer = Observer::new(self.metrics.clone(), self.status.clone());
        let app = App::new()
            .app_data(Data::new(Limiter::new(store, self.shared.clone())))
            .app_data(Data::from(self.status.clone()))
            .app_data(Data::from(self.metrics.clone()))
            .app_data(Data::from(self.shared.policies.clone()))
            .app_data(Data::from(self.shared.offenders.clone()))
            .app_data(Data::new(self.access.clone()))
            .app_data(Data::new(observer))
            // The same routes, which the fast path does not know under this path.
            .service(web::scope("/routed").configure(routes))
            .configure(admin_routes)
            .configure(routes)
            .wrap(from_fn(observe));
        let app = init_service(app).await;
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = TestRequest::with_uri(path).method(method).set_payload(body.to_owned());
        for header in headers {
            request = request.append_header(*header);
        }
        let response = call_service(&app, request.to_request()).await;
        let status = response.status().as_u16();
        let headers = response.headers();
        assert_eq!(headers.get(header::CACHE_CONTROL).unwrap(), "no-store");
        assert_eq!(headers.contains_key(header::ALLOW), status == 405);
        let kind = headers.get(header::CONTENT_TYPE).unwrap().to_str().unwrap().to_owned();
        let mut headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap()))
            .collect();
        headers.sort_unstable();
        let headers = headers.concat();
        let body = String::from_utf8(read_body(response).await.to_vec()).unwrap();
        Response { status, kind, headers, body }
    }

    /// Sends a `POST`, and returns the body of its 200.
    pub(super) async fn post(&self, path: &str, body: &str) -> String {
        let response = self.send("POST", path, &[], body).await;
        assert_eq!(
            (response.status, response.kind.as_str()),
            (200, "application/json"),
            "{response:?}"
        );
        response.body
    }
}
