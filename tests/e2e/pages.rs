//! Lists that name tests: the tables of `docs/security.md` and `docs/reliability.md`, the record of
//! runs, and the maps of test files; and the version, wherever it is written.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const PAGES: [&str; 2] =
    [include_str!("../../docs/security.md"), include_str!("../../docs/reliability.md")];
/// Files whose header has a table of their modules.
const MAPS: [&str; 2] = [include_str!("main.rs"), include_str!("faults/mod.rs")];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The file and name of each test in the last column of a page's tables.
fn tests_of(page: &str) -> Vec<(&str, &str)> {
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
        let tests = tests_of(page);
        assert!(tests.len() > 20, "{} tests", tests.len());
        for (file, test) in tests {
            let code = fs::read_to_string(root().join(file));
            let code = code.unwrap_or_else(|error| panic!("{file}: {error}"));
            let declared = [format!("fn {test}() {{"), format!("fn {test}(")];
            assert!(declared.iter().any(|it| code.contains(it)), "{test} is not in {file}");
        }
    }
}

#[test]
fn the_tests_that_a_page_names_passed_in_the_recorded_runs() {
    let runs = fs::read_dir(root().join("docs/reliability")).expect("records");
    let newest = runs.map(|run| run.expect("a record").path()).max().expect("a record");
    let run = |name: &str| fs::read_to_string(newest.join(name)).expect(name);
    let runs = ["redis-7.0.txt", "redis-6.2.txt", "valkey-9.1.txt"].map(run);
    for (file, test) in PAGES.into_iter().flat_map(tests_of) {
        let name = file.strip_prefix("tests/e2e/").map(|file| {
            let module = file.trim_end_matches(".rs").trim_end_matches("/mod");
            format!("{}::{test}", module.replace('/', "::"))
        });
        for (number, run) in runs.iter().enumerate() {
            let is_passed = match &name {
                Some(name) => {
                    // What a server cannot do is skipped there, but never in all of the runs.
                    let is_skipped = run.contains(&format!("skipped: {name}: "));
                    let is_reported = run.lines().any(|line| line == format!("test {name} ... ok"));
                    is_reported && !(is_skipped && number == 0)
                }
                // Other tests need no server: they are in one record only.
                None => runs[0]
                    .lines()
                    .any(|line| line.strip_suffix(" ... ok").is_some_and(|it| it.ends_with(test))),
            };
            assert!(is_passed, "{file}: {test}");
        }
    }
}

#[test]
fn maps_of_tests_name_every_module_and_no_other() {
    for map in MAPS {
        let rows = map.lines().filter_map(|line| line.strip_prefix("//! | `")?.split('`').next());
        let modules = map.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';'));
        let (rows, modules): (BTreeSet<_>, BTreeSet<_>) = (rows.collect(), modules.collect());
        let differing: Vec<_> = rows.symmetric_difference(&modules).collect();
        assert!(differing.is_empty(), "in the map or a module, not both: {differing:?}");
        assert!(rows.len() > 5, "{rows:?}");
    }
}

#[test]
fn the_version_is_the_same_everywhere() {
    let version = env!("CARGO_PKG_VERSION");
    let images = include_str!("../../kubernetes/kustomization.yaml");
    let tags = images.lines().filter(|line| line.contains("newTag: "));
    let tags: Vec<_> = tags.map(|line| line.contains(&format!("newTag: \"{version}\""))).collect();
    assert_eq!(tags, [true, true], "kubernetes/kustomization.yaml");
    let changelog = include_str!("../../CHANGELOG.md");
    let headings = changelog.lines().filter_map(|line| line.strip_prefix("## "));
    let dates = headings.filter_map(|it| it.strip_prefix(version)?.strip_prefix(" - "));
    let dates: Vec<_> = dates.filter(|date| date.split('-').count() == 3).collect();
    assert_eq!(dates.len(), 1, "CHANGELOG.md has no dated section of {version}");
}
