//! `docs/monitoring/` and `terraform/modules/monitoring` name metrics of a live front, in queries
//! that Prometheus accepts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use rl_tests::{Front, MetricMetadata, Scrape, labels};
use serde_json::{Value, json};
use tempfile::TempDir;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/monitoring");
const README: &str = include_str!("../../docs/monitoring/README.md");
const ALERTS: &str = include_str!("../../docs/monitoring/alerts.yml");
const DASHBOARD: &str = include_str!("../../docs/monitoring/dashboard.json");
const TERRAFORM: &str = concat!(
    include_str!("../../terraform/modules/monitoring/main.tf"),
    include_str!("../../terraform/modules/monitoring/dashboard.tf"),
);

/// Runs promtool, which must succeed: its output.
#[track_caller]
fn promtool(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("promtool")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, which scripts/test installs");
    child.stdin.take().expect("its input").write_all(input.as_bytes()).expect("to write");
    let output = child.wait_with_output().expect("its output");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).expect("its output in UTF-8");
    assert!(output.status.success(), "promtool {arguments:?}: {text}");
    text
}

/// The metrics of a front that has just started.
fn initial_metrics() -> (String, Scrape) {
    let text = Front::start(&[]).text("/metrics");
    let scrape = Scrape::parse(&text);
    (text, scrape)
}

fn dashboard() -> Value {
    serde_json::from_str(DASHBOARD).expect("JSON")
}

/// Every query of the dashboard, with values for its variables.
fn queries() -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|field| collect(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(&dashboard(), &mut found);
    let filled = found.iter().map(|query| {
        let query = query.replace("$__rate_interval", "5m").replace("=\"$job\"", "=\"rl\"");
        query.replace("$instance", ".*").replace("$policy", ".*")
    });
    let filled: Vec<_> = filled.collect();
    assert!(filled.iter().all(|query| !query.contains('$')), "{filled:#?}");
    filled
}

/// Every query of `terraform/modules/monitoring`, for metrics of fronts and of Google.
fn terraform() -> Vec<String> {
    let literals = TERRAFORM.lines().filter_map(|line| line.split_once(" = \""));
    let texts = literals.map(|(_, rest)| {
        let literal = format!("\"{rest}");
        serde_json::from_str::<String>(&literal).unwrap_or_default() // other lines are no literals
    });
    let queries = texts.filter(|text| text.contains('{') && text.contains('('));
    let filled = queries
        .map(|text| text.replace("${local.front}", "job=\"rl\"").replace("${var.name}", "rl"));
    let filled: Vec<_> = filled.collect();
    assert!(filled.iter().all(|query| !query.contains('$')), "{filled:#?}");
    filled
}

/// The metrics of fronts that a text names.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    words.filter(|word| word.starts_with("rl_") || word.starts_with("process_")).collect()
}

#[test]
fn promtool_accepts_the_metrics() {
    let front = Front::start(&["--capacity", "1", "--rate", "1/d"]);
    for body in [r#"{"key":"k"}"#, r#"{"key":"k"}"#, r#"{"key":"k","cost":2}"#, "{"] {
        front.post("/check", body);
    }
    front.post("/check/batch", r#"{"checks":[{"key":"k"}]}"#);
    assert_eq!(promtool(&["check", "metrics"], &front.text("/metrics")), "");
}

#[test]
fn alerts_fire_when_they_should() {
    promtool(&["check", "rules", &format!("{FOLDER}/alerts.yml")], "");
    promtool(&["test", "rules", &format!("{FOLDER}/alerts_test.yml")], "");
    let test = fs::read_to_string(format!("{FOLDER}/alerts_test.yml")).expect("the tests");
    let alerts = ALERTS.lines().filter_map(|line| line.trim().strip_prefix("- alert: "));
    for alert in alerts {
        assert!(test.contains(&format!("alertname=\"{alert}\"")), "{alert} has no test");
    }
    for field in ["severity:", "summary:", "description:"] {
        let count = |text: &str| ALERTS.matches(text).count();
        assert_eq!(count(field), count("- alert:"), "{field}");
    }
}

#[test]
fn rules_and_dashboards_name_metrics_and_labels_that_exist() {
    let (_, scrape) = initial_metrics();
    let (queries, terraform) = (queries().join("\n"), terraform().join("\n"));
    let series: BTreeSet<_> =
        scrape.series.keys().map(|series| series.split('{').next().unwrap_or_default()).collect();
    for (text, least) in [(ALERTS, 10), (&queries, 20), (&terraform, 6)] {
        let queried = names(text);
        assert!(queried.len() >= least, "{queried:?}");
        let missing: Vec<_> = queried.difference(&series).collect();
        assert!(missing.is_empty(), "no front has {missing:?}");
    }

    // Labels too: with a misspelt one a query is valid, and always empty.
    let mut matchers = 0;
    for selector in [ALERTS, &queries, &terraform].iter().flat_map(|text| text.split_inclusive('}'))
    {
        let Some((before, inside)) = selector.rsplit_once('{') else { continue };
        let Some(name) = names(before).into_iter().find(|name| before.ends_with(name)) else {
            continue;
        };
        let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let about = scrape.metadata.get(name).or_else(|| scrape.metadata.get(base?)).expect(name);
        // Reads `!=`, `=~` and `!~` as `=`, where they name whole values.
        let equal =
            format!("{{{}", inside.replace("!=", "=").replace("=~", "=").replace("!~", "="));
        for (label, values) in labels(&equal) {
            let is_known =
                about.labels.contains(label) || ["job", "instance", "le"].contains(&label);
            assert!(is_known, "{name} has no label {label}");
            if values.contains(['.', '*']) || ["job", "instance", "le", "code"].contains(&label) {
                continue;
            }
            for value in values.split('|') {
                let pair = format!("{label}=\"{value}\"");
                let mut all = scrape.series.keys();
                assert!(
                    all.any(|series| series.starts_with(name) && series.contains(&pair)),
                    "{name} never has {pair}"
                );
                matchers += 1;
            }
        }
    }
    assert!(matchers >= 15, "{matchers}");
}

#[test]
fn the_dashboard_shows_every_metric() {
    let (_, scrape) = initial_metrics();
    let queries = queries().join("\n");
    let shown: BTreeSet<_> = names(&queries)
        .into_iter()
        .map(|name| {
            let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            base.filter(|base| scrape.metadata.contains_key(*base)).unwrap_or(name)
        })
        .collect();
    let all = scrape.metadata.keys().map(String::as_str);
    let missing: Vec<_> = all.filter(|name| !shown.contains(name)).collect();
    // Resident memory is what counts.
    assert_eq!(missing, ["process_virtual_memory_bytes"]);
}

#[test]
fn prometheus_can_read_the_queries() {
    let terraform = terraform();
    assert!(terraform.len() >= 15, "{terraform:#?}");
    let rules: Vec<_> = (0..)
        .zip(queries().into_iter().chain(terraform))
        .map(|(i, query)| json!({ "record": format!("panel:query:{i}"), "expr": query }))
        .collect();
    assert!(rules.len() >= 40, "{}", rules.len());
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("queries.yml"); // JSON is YAML
    let groups = json!({ "groups": [{ "name": "dashboard", "rules": rules }] });
    fs::write(&file, groups.to_string()).expect("to write");
    promtool(&["check", "rules", file.to_str().expect("a path in UTF-8")], "");
}

#[test]
fn the_panels_of_the_dashboard_are_valid() {
    let dashboard = dashboard();
    assert_eq!(dashboard["schemaVersion"], json!(42));
    let variables = dashboard["templating"]["list"].as_array().expect("variables");
    let variables: Vec<_> =
        variables.iter().map(|it| (it["name"].as_str(), it["type"].as_str())).collect();
    assert_eq!(variables[0], (Some("datasource"), Some("datasource")));

    let (mut rows, mut ids, mut cells) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().expect("panels") {
        let title = panel["title"].as_str().expect("a title");
        assert!(ids.insert(panel["id"].as_u64().expect(title)), "{title}: its id is taken");
        let [x, y, w, h] =
            ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().expect(title));
        assert!(x + w <= 24, "{title} is too wide");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(cells.insert(cell), "{title} lies over another panel");
        }
        if panel["type"] == "row" {
            rows.push(title);
            continue;
        }
        let targets = panel["targets"].as_array().expect(title);
        let refs: BTreeSet<_> = targets.iter().map(|it| it["refId"].as_str()).collect();
        assert_eq!((refs.len(), targets.is_empty()), (targets.len(), false), "{title}");
        for source in targets.iter().chain([panel]).map(|it| &it["datasource"]) {
            assert_eq!(*source, json!({ "type": "prometheus", "uid": "${datasource}" }), "{title}");
        }
    }
    let expected = ["Traffic and decisions", "Latency", "Redis", "Degraded", "Policies", "Process"];
    assert_eq!(rows, expected);
}

#[test]
fn the_table_of_metrics_is_true() {
    let (text, scrape) = initial_metrics();
    let row = |line: &str| -> Option<(String, MetricMetadata)> {
        let cells: Vec<_> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let [name, kind, labels, help] = cells.try_into().ok()?;
        let name = name.strip_prefix('`')?.strip_suffix('`')?;
        let labels =
            labels.split(", ").filter_map(|label| label.strip_prefix('`')?.strip_suffix('`'));
        let labels = labels.map(str::to_owned).collect();
        Some((
            name.to_owned(),
            MetricMetadata { help: help.to_owned(), kind: kind.to_owned(), labels },
        ))
    };
    let rows: BTreeMap<_, _> =
        README.lines().filter(|line| line.starts_with("| `")).filter_map(row).collect();
    let written: Vec<_> = rows.iter().collect();
    assert_eq!(written, scrape.metadata.iter().collect::<Vec<_>>(), "{text}");
}
