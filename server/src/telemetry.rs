//! The log: levels, and the format of lines.

use std::{env, io::Write};

use clap::ValueEnum;
use log::{
    Level, Record,
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
    use log::{Level, Record};

    use super::json;

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
