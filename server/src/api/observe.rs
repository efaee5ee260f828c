//! The middleware around every request: it counts time and status, echoes the request id, and logs.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

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
use rl_store::LogThrottle;

use super::fast_path;
use crate::{metrics::Metrics, status::Status};

/// Observes the requests of one listener.
#[derive(Debug)]
pub struct Observer {
    metrics: Arc<Metrics>,
    status: Arc<Status>,
    /// The meters of each of `ENDPOINTS`.
    endpoints: Vec<EndpointMeters>,
    failure_log: LogThrottle,
}

/// The metric series that nearly every request changes, looked up once.
#[derive(Debug)]
struct EndpointMeters {
    seconds: Histogram,
    /// The counters of common statuses.
    requests: Vec<(StatusCode, IntCounter)>,
}

/// The paths with metrics of their own. All other paths share the last entry.
pub(super) const ENDPOINTS: [&str; 15] = [
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
    "/openapi-3.0.json",
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
    /// An observer that counts in `metrics`.
    pub fn new(metrics: Arc<Metrics>, status: Arc<Status>) -> Self {
        let meters = |endpoint: &str| {
            let counter = |code: &StatusCode| {
                (*code, metrics.requests.with_label_values(&[endpoint, code.as_str()]))
            };
            EndpointMeters {
                seconds: metrics.request_seconds.with_label_values(&[endpoint]),
                requests: common_statuses(endpoint).iter().map(counter).collect(),
            }
        };
        let endpoints = ENDPOINTS.into_iter().map(meters).collect();
        let failure_log = LogThrottle::new(Duration::from_secs(1));
        Self { metrics, status, endpoints, failure_log }
    }

    fn count(&self, endpoint: usize, status: StatusCode, started: Instant) {
        let meters = &self.endpoints[endpoint];
        meters.seconds.observe(started.elapsed().as_secs_f64());
        match meters.requests.iter().find(|(common, _)| *common == status) {
            Some((_, counter)) => counter.inc(),
            None => {
                let labels = [ENDPOINTS[endpoint], status.as_str()];
                self.metrics.requests.with_label_values(&labels).inc();
            }
        }
    }

    /// Logs one line per request at level debug. A server error is logged at level warn, at most
    /// once a second.
    fn log(&self, endpoint: usize, status: StatusCode, started: Instant, headers: &HeaderMap) {
        let is_failure = status.is_server_error() && !ENDPOINTS[endpoint].starts_with("/health");
        let level = if is_failure { Level::Warn } else { Level::Debug };
        if !log_enabled!(target: ACCESS, level) {
            return;
        }
        let mut suffix = String::new();
        if is_failure {
            match self.failure_log.pass(Instant::now()) {
                Some(skipped) => suffix = skipped.to_string(),
                None => return,
            }
        }
        let micros = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        log!(
            target: ACCESS, level,
            endpoint = ENDPOINTS[endpoint], status = status.as_u16(), micros,
            request_id = request_id(headers).and_then(|id| id.to_str().ok()).unwrap_or_default(),
            trace = trace_id(headers).as_deref().unwrap_or_default();
            "{} answered {} in {micros} us{suffix}", ENDPOINTS[endpoint], status.as_u16()
        );
    }
}

/// The common statuses of an endpoint. `/check` denies a proxy by its status.
fn common_statuses(endpoint: &str) -> &'static [StatusCode] {
    match endpoint {
        "/check" => &[StatusCode::OK, StatusCode::TOO_MANY_REQUESTS, StatusCode::FORBIDDEN],
        _ => &[StatusCode::OK],
    }
}

/// The id that the caller gave the request, if it is valid.
fn request_id(headers: &HeaderMap) -> Option<&HeaderValue> {
    headers.get(REQUEST_ID).filter(|id| is_request_id(id.as_bytes()))
}

/// Whether a request id is safe to echo and to log.
fn is_request_id(text: &[u8]) -> bool {
    let is_safe = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    (1..=128).contains(&text.len()) && text.iter().all(is_safe)
}

/// The trace id of W3C Trace Context, or of Google Cloud: 32 hex digits.
fn trace_id(headers: &HeaderMap) -> Option<Box<str>> {
    let text = |name| headers.get(name)?.to_str().ok();
    let id = text(TRACE_PARENT)
        .and_then(|value| value.split('-').nth(1))
        .or_else(|| text(CLOUD_TRACE).and_then(|value| value.split('/').next()))?;
    let is_valid = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_valid.then(|| id.to_ascii_lowercase().into())
}

/// Passes a request on, through `fast_path`, and observes the response.
pub async fn observe(
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, Error> {
    let started = Instant::now();
    let observer = request.app_data::<Data<Observer>>().cloned();
    let path = request.path();
    let endpoint = ENDPOINTS.iter().position(|endpoint| *endpoint == path).unwrap_or(OTHER);
    let mut response = fast_path::call(request, next).await?;
    let Some(observer) = observer else { return Ok(response) };
    let status = response.status();
    if observer.status.is_draining() {
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    if let Some(id) = request_id(response.request().headers()).cloned() {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    observer.count(endpoint, status, started);
    observer.log(endpoint, status, started, response.request().headers());
    Ok(response)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

    use super::{is_request_id, trace_id};

    #[test]
    fn request_ids_have_a_bounded_length_and_a_safe_charset() {
        let long = "a".repeat(129);
        for (id, expected) in [
            ("0b6c7d9e-41c0.A_z", true),
            (&long[1..], true),
            (&long, false),
            ("", false),
            ("a b", false),
            ("a\"b", false),
            ("é", false),
        ] {
            assert_eq!(is_request_id(id.as_bytes()), expected, "{id}");
        }
    }

    #[test]
    fn trace_ids_are_read_from_either_header() {
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
            assert_eq!(trace_id(&headers).as_deref(), expected, "{value}");
        }
    }
}
