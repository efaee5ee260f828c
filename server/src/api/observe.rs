//! What surrounds every request: its time and status are counted, its id is echoed, it may be logged.

use std::{sync::Arc, time::Instant};

use actix_web::{
    Error,
    body::BoxBody,
    dev::{ServiceRequest, ServiceResponse},
    http::{
        ConnectionType, StatusCode,
        header::{HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use log::{Level, log, log_enabled};
use prometheus::{Histogram, IntCounter};
use rl_store::Throttle;

use super::{fast_path, hold_body::Unread};
use crate::{metrics::Metrics, status::Status};

/// Sees every request of one listener.
#[derive(Debug)]
pub struct Observer {
    metrics: Arc<Metrics>,
    status: Arc<Status>,
    endpoints: Vec<Meters>,
    failures: Throttle,
}

/// The series that nearly every request moves, looked up once.
#[derive(Debug)]
struct Meters {
    seconds: Histogram,
    usual: Vec<(StatusCode, IntCounter)>,
}

/// The paths that are told apart; whatever else is asked for is one.
const ENDPOINTS: [&str; 14] = [
    "/check",
    "/check/batch",
    "/peek",
    "/take",
    "/refund",
    "/charge",
    "/reset",
    "/health/live",
    "/health/ready",
    "/metrics",
    "/admin/denied",
    "/openapi.json",
    "/docs",
    "other",
];
const OTHER: usize = ENDPOINTS.len() - 1;

/// The log target of requests.
const ACCESS: &str = "rl_server::access";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
const CLOUD_TRACE: HeaderName = HeaderName::from_static("x-cloud-trace-context");

// === impl Observer ===

impl Observer {
    /// Counts in `metrics`.
    pub fn new(metrics: Arc<Metrics>, status: Arc<Status>) -> Self {
        let meters = |endpoint: &str| {
            let counter = |code: &StatusCode| {
                (*code, metrics.requests.with_label_values(&[endpoint, code.as_str()]))
            };
            Meters {
                seconds: metrics.request_seconds.with_label_values(&[endpoint]),
                usual: usual(endpoint).iter().map(counter).collect(),
            }
        };
        let endpoints = ENDPOINTS.into_iter().map(meters).collect();
        let failures = Throttle::new(std::time::Duration::from_secs(1));
        Self { metrics, status, endpoints, failures }
    }

    fn count(&self, endpoint: usize, status: StatusCode, began: Instant) {
        let meters = &self.endpoints[endpoint];
        meters.seconds.observe(began.elapsed().as_secs_f64());
        match meters.usual.iter().find(|(usual, _)| *usual == status) {
            Some((_, counter)) => counter.inc(),
            None => {
                let labels = [ENDPOINTS[endpoint], status.as_str()];
                self.metrics.requests.with_label_values(&labels).inc();
            }
        }
    }

    /// One line a request at level debug; what failed for a reason of ours is a warning, and few of those.
    fn log(&self, endpoint: usize, status: StatusCode, began: Instant, headers: &HeaderMap) {
        let ours = status.is_server_error() && !ENDPOINTS[endpoint].starts_with("/health");
        let level = if ours { Level::Warn } else { Level::Debug };
        if !log_enabled!(target: ACCESS, level) {
            return;
        }
        let mut more = String::new();
        if ours {
            match self.failures.pass(Instant::now()) {
                Some(skipped) => more = skipped.to_string(),
                None => return,
            }
        }
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        log!(
            target: ACCESS, level,
            endpoint = ENDPOINTS[endpoint], status = status.as_u16(), micros,
            request_id = id(headers).and_then(|id| id.to_str().ok()).unwrap_or_default(),
            trace = trace(headers).as_deref().unwrap_or_default();
            "{} answered {} in {micros} us{more}", ENDPOINTS[endpoint], status.as_u16()
        );
    }
}

/// What an endpoint answers day by day; a proxy is told a denial by the status.
fn usual(endpoint: &str) -> &'static [StatusCode] {
    match endpoint {
        "/check" => &[StatusCode::OK, StatusCode::TOO_MANY_REQUESTS, StatusCode::FORBIDDEN],
        _ => &[StatusCode::OK],
    }
}

/// What a caller gave to find its request again.
fn id(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(REQUEST_ID).filter(|id| is_id(id.as_bytes()))
}

/// An id of other characters is no id: it would be echoed, and logged.
fn is_id(text: &[u8]) -> bool {
    let good = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    (1..=128).contains(&text.len()) && text.iter().all(good)
}

/// The trace id of W3C Trace Context, or of Google Cloud: 32 hex digits.
fn trace(headers: &HeaderMap) -> Option<Box<str>> {
    let text = |name| headers.get(name)?.to_str().ok();
    let trace = text(TRACE_PARENT)
        .and_then(|value| value.split('-').nth(1))
        .or_else(|| text(CLOUD_TRACE).and_then(|value| value.split('/').next()))?;
    let is_trace = trace.len() == 32 && trace.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_trace.then(|| trace.to_ascii_lowercase().into())
}

/// The middleware.
pub async fn observe(
    mut request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, Error> {
    let began = Instant::now();
    let observer = request.app_data::<Data<Observer>>().cloned();
    let path = request.path();
    let endpoint = ENDPOINTS.iter().position(|known| *known == path).unwrap_or(OTHER);
    let unread = Unread::of(&mut request);
    let mut response = fast_path::call(request, next).await?;
    let Some(observer) = observer else { return Ok(response) };
    let status = response.status();
    if let Some(unread) = unread
        && status.is_client_error()
    {
        response = unread.close(response);
    }
    if observer.status.is_draining() {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    if let Some(id) = id(response.request().headers()).cloned() {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    observer.count(endpoint, status, began);
    observer.log(endpoint, status, began, response.request().headers());
    Ok(response)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

    use super::{is_id, trace};

    #[test]
    fn ids() {
        let long = "a".repeat(129);
        for (id, good) in [
            ("0b6c7d9e-41c0.A_z", true),
            (&long[1..], true),
            (&long, false),
            ("", false),
            ("a b", false),
            ("a\"b", false),
            ("é", false),
        ] {
            assert_eq!(is_id(id.as_bytes()), good, "{id}");
        }
    }

    #[test]
    fn traces() {
        const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
        for (name, value, expected) in [
            ("traceparent", format!("00-{ID}-00f067aa0ba902b7-01"), Some(ID)),
            ("x-cloud-trace-context", format!("{}/123;o=1", ID.to_uppercase()), Some(ID)),
            ("x-cloud-trace-context", ID.to_owned(), Some(ID)),
            ("traceparent", "00-abc-00f067aa0ba902b7-01".to_owned(), None),
            ("traceparent", format!("00-{}\"-0-1", &ID[1..]), None),
            ("x-trace", ID.to_owned(), None),
        ] {
            let mut headers = HeaderMap::new();
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            headers.insert(name, HeaderValue::from_str(&value).unwrap());
            assert_eq!(trace(&headers).as_deref(), expected, "{value}");
        }
    }
}
