//! The log: levels, and the format of lines.

use std::{env, io::Write};

use clap::ValueEnum;
use env_logger::{Builder, Logger};
use log::{
    Level, Log, Metadata, Record,
    kv::{self, Key, VisitSource},
};
use serde_json::{Map, Value};

/// The format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    Text,
    /// One JSON object per line, in the format of Cloud Logging
    Json,
}

/// The filter without `RUST_LOG`: level info. actix logs every request that it cannot parse as an
/// error, so any client could fill the log.
const FILTER: &str = "info,actix_server=warn,actix_http=off";

/// Crates that print the bytes of connections at level trace: passwords, access tokens.
const TRACE_SECRETS: &[&str] = &["ureq", "ureq_proto", "rustls", "tokio_rustls"];

/// A logger that shows no secret, whatever `RUST_LOG` says.
struct Redacted(Logger);

/// Sends the log to stderr, at the levels that `RUST_LOG` gives.
pub fn init(format: LogFormat) {
    let levels = env::var("RUST_LOG").ok().filter(|levels| !levels.is_empty());
    let mut logger = Builder::new();
    logger.parse_filters(levels.as_deref().unwrap_or(FILTER));
    if let Ok(style) = env::var("RUST_LOG_STYLE") {
        logger.parse_write_style(&style);
    }
    if format == LogFormat::Json {
        let project = env::var("GOOGLE_CLOUD_PROJECT").ok().filter(|name| !name.is_empty());
        logger.format(move |out, record| {
            let time = out.timestamp_micros();
            writeln!(out, "{}", json(record, &time.to_string(), project.as_deref()))
        });
    }
    let logger = logger.build();
    let max_level = logger.filter();
    if log::set_boxed_logger(Box::new(Redacted(logger))).is_ok() {
        log::set_max_level(max_level);
    }
}

// === impl Redacted ===

impl Log for Redacted {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        !may_show_secrets(metadata) && self.0.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !may_show_secrets(record.metadata()) {
            self.0.log(record);
        }
    }

    fn flush(&self) {
        self.0.flush();
    }
}

fn may_show_secrets(metadata: &Metadata<'_>) -> bool {
    let name = metadata.target().split("::").next().unwrap_or_default();
    metadata.level() == Level::Trace && TRACE_SECRETS.contains(&name)
}

/// A record in the format of Cloud Logging: `severity`, `message`, `time`, `target`, and the
/// record's key-value pairs. `trace` becomes the field that links the line to its trace, with the
/// trace's full name if the project is known.
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

/// Adds the key-value pairs of a record to a line, except those with an empty value.
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

#[cfg(test)]
mod tests {
    use log::{Level, Metadata, Record};

    use super::{json, may_show_secrets};

    #[test]
    fn crates_that_print_what_they_receive_have_no_level_trace() {
        for (target, level, may) in [
            ("ureq_proto::util", Level::Trace, true),
            ("ureq", Level::Trace, true),
            ("rustls::client::hs", Level::Trace, true),
            ("ureq_proto::util", Level::Debug, false),
            ("rl_store::redis::node", Level::Trace, false),
        ] {
            let metadata = Metadata::builder().target(target).level(level).build();
            assert_eq!(may_show_secrets(&metadata), may, "{target} {level}");
        }
    }

    #[test]
    fn a_json_line_has_the_fields_of_cloud_logging() {
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
            concat!(
                r#"{"endpoint":"/reset","#,
                r#""logging.googleapis.com/trace":"projects/p/traces/4bf9","#,
                r#""message":"it said \"no\"\n","severity":"WARNING","status":503,"#,
                r#""target":"rl","time":"2026-01-02T03:04:05.000000Z"}"#,
            )
        );
        assert!(line(Level::Trace, None).contains(r#""logging.googleapis.com/trace":"4bf9","#));
    }
}
