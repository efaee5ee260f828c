//! Logging: where lines go, and how few of them a bad hour may write.

use std::{
    env, fmt,
    io::Write,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use log::{
    Level, Record,
    kv::{self, Key, VisitSource},
};
use serde_json::{Map, Value};

use crate::settings::LogFormat;

/// Without `RUST_LOG`: level info. actix logs every request it cannot read as an error of its own, so
/// anyone who can connect could fill the log.
const FILTER: &str = "info,actix_server=warn,actix_http=off";

/// Sends the log to stderr, at the levels that `RUST_LOG` gives.
pub fn init(format: LogFormat) {
    let levels = env_logger::Env::default().default_filter_or(FILTER);
    let mut logger = env_logger::Builder::from_env(levels);
    if format == LogFormat::Json {
        let project = env::var("GOOGLE_CLOUD_PROJECT").ok().filter(|name| !name.is_empty());
        logger.format(move |out, record| {
            let time = out.timestamp_micros();
            writeln!(out, "{}", json(record, &time.to_string(), project.as_deref()))
        });
    }
    logger.init();
}

/// A record as Cloud Logging's structured logging reads it: `severity`, `message`, `time`, `target`, and what
/// the record holds by key. A `trace` becomes the field that ties the line to its trace, by its full
/// name if the project is known.
fn json(record: &Record<'_>, time: &str, project: Option<&str>) -> Value {
    let severity = match record.level() {
        Level::Error => "ERROR",
        Level::Warn => "WARNING",
        Level::Info => "INFO",
        Level::Debug | Level::Trace => "DEBUG",
    };
    let mut line = Map::from_iter([
        ("severity".to_owned(), severity.into()),
        ("message".to_owned(), record.args().to_string().into()),
        ("time".to_owned(), time.into()),
        ("target".to_owned(), record.target().into()),
    ]);
    let _ = record.key_values().visit(&mut Fields { line: &mut line, project });
    Value::Object(line)
}

/// Puts the keys of a record into a line, those without a value left out.
struct Fields<'a> {
    line: &'a mut Map<String, Value>,
    project: Option<&'a str>,
}

impl<'kvs> VisitSource<'kvs> for Fields<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        let text = value.to_string();
        let (key, value) = match (key.as_str(), self.project) {
            _ if text.is_empty() => return Ok(()),
            ("trace", Some(project)) => {
                (TRACE.to_owned(), format!("projects/{project}/traces/{text}").into())
            }
            ("trace", None) => (TRACE.to_owned(), text.into()),
            (key, _) => (key.to_owned(), value.to_u64().map_or_else(|| text.into(), Value::from)),
        };
        self.line.insert(key, value);
        Ok(())
    }
}

const TRACE: &str = "logging.googleapis.com/trace";

/// Lets one line through per interval and counts the rest, so that an outage under load cannot fill
/// a disk.
#[derive(Debug)]
pub struct Throttle {
    every: Duration,
    start: Instant,
    /// Milliseconds after `start` before which nothing passes.
    closed_until: AtomicU64,
    skipped: AtomicU64,
}

/// How many lines were held back; it displays as the end of the line that was not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped(u64);

// === impl Throttle ===

impl Throttle {
    /// One line per `every`.
    pub fn new(every: Duration) -> Self {
        Self {
            every,
            start: Instant::now(),
            closed_until: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
        }
    }

    /// `Some` if a line may be written at `now`: how many were held back since the last one.
    pub fn pass(&self, now: Instant) -> Option<Skipped> {
        let at = millis(now.saturating_duration_since(self.start));
        let opened =
            self.closed_until.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |until| {
                (until <= at).then(|| at.saturating_add(millis(self.every)))
            });
        match opened {
            Ok(_) => Some(Skipped(self.skipped.swap(0, Ordering::Relaxed))),
            Err(_) => {
                self.skipped.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }
}

// === impl Skipped ===

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            count => write!(f, " ({count} such lines held back)"),
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use log::{Level, Record};

    use super::{Skipped, Throttle, json};

    #[test]
    fn json_lines() {
        let fields = [("status", log::kv::Value::from(503)), ("trace", "4bf9".into())];
        let fields = [fields, [("request_id", "".into()), ("endpoint", "/reset".into())]].concat();
        let line = |level, project| {
            let args = format_args!("it said \"no\"\n");
            let record =
                Record::builder().level(level).args(args).target("rl").key_values(&fields).build();
            json(&record, "2026-01-02T03:04:05.000000Z", project).to_string()
        };
        assert_eq!(
            line(Level::Warn, Some("p")),
            r#"{"endpoint":"/reset","logging.googleapis.com/trace":"projects/p/traces/4bf9","message":"it said \"no\"\n","severity":"WARNING","status":503,"target":"rl","time":"2026-01-02T03:04:05.000000Z"}"#
        );
        assert!(line(Level::Trace, None).contains(r#""logging.googleapis.com/trace":"4bf9","#));
    }

    #[test]
    fn one_line_a_second() {
        let throttle = Throttle::new(Duration::from_secs(1));
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        assert_eq!(throttle.pass(after(10)), Some(Skipped(0)));
        assert_eq!(throttle.pass(after(11)), None);
        assert_eq!(throttle.pass(after(900)), None);
        assert_eq!(throttle.pass(after(1100)), Some(Skipped(2)));
        assert_eq!(throttle.pass(after(1200)), None);
    }
}
