//! The tests that `docs/security.md` and `docs/reliability.md` name are there, and were green in the recorded runs.

use std::fs;
use std::path::{Path, PathBuf};

const PAGES: [&str; 2] =
    [include_str!("../../docs/security.md"), include_str!("../../docs/reliability.md")];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// File and name of each test that the tables of a page name in their last column.
fn named(page: &str) -> Vec<(&str, &str)> {
    let mut all = Vec::new();
    for row in page.lines().filter(|line| line.starts_with("| ")) {
        let last = row.trim_end_matches(" |").rsplit(" | ").next().expect("a column");
        for tests in last.split("; ").filter(|tests| tests.contains(".rs`: ")) {
            let mut words = tests.split('`').skip(1).step_by(2);
            let file = words.next().expect("a file");
            all.extend(words.map(|test| (file, test)));
        }
    }
    all
}

#[test]
fn the_tests_that_a_page_names_are_there() {
    for page in PAGES {
        let named = named(page);
        assert!(named.len() > 20, "{} tests", named.len());
        for (file, test) in named {
            let code = fs::read_to_string(root().join(file));
            let code = code.unwrap_or_else(|error| panic!("{file}: {error}"));
            let declared = [format!("fn {test}() {{"), format!("fn {test}(")];
            assert!(declared.iter().any(|it| code.contains(it)), "{test} is not in {file}");
        }
    }
}

#[test]
fn and_were_green_in_the_recorded_runs() {
    let runs = fs::read_dir(root().join("docs/reliability")).expect("records");
    let newest = runs.map(|run| run.expect("a record").path()).max().expect("a record");
    let run = |name: &str| fs::read_to_string(newest.join(name)).expect(name);
    let runs = ["redis-7.0.txt", "redis-6.2.txt", "valkey-9.1.txt"].map(run);
    for (file, test) in PAGES.into_iter().flat_map(named) {
        let end_to_end = file.strip_prefix("tests/e2e/").map(|file| {
            let module = file.trim_end_matches(".rs").trim_end_matches("/mod");
            format!("test {}::{test} ... ok", module.replace('/', "::"))
        });
        for run in &runs {
            let green = match &end_to_end {
                Some(line) => run.lines().any(|it| it == line),
                // Others need no server: one record has them.
                None => runs[0]
                    .lines()
                    .any(|line| line.strip_suffix(" ... ok").is_some_and(|it| it.ends_with(test))),
            };
            assert!(green, "{file}: {test}");
        }
    }
}
