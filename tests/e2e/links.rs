//! The pages point to files, headings and scripts that exist.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every page for people: its path, and its text without code blocks.
fn pages() -> Vec<(PathBuf, String)> {
    let top = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"];
    let mut pages: Vec<_> = top.iter().map(|page| root().join(page)).collect();
    let docs = ["docs", "docs/decisions", "docs/benchmarks", "docs/monitoring"];
    for folder in docs.into_iter().chain(["findings", "terraform"]) {
        let files = fs::read_dir(root().join(folder)).expect(folder);
        let files = files.map(|file| file.expect("a file").path());
        pages.extend(files.filter(|file| file.extension().is_some_and(|it| it == "md")));
    }
    pages.into_iter().map(|path| (path.clone(), prose(&path))).collect()
}

fn prose(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_else(|_| panic!("{} is missing", path.display()));
    text.split("\n```").step_by(2).collect::<Vec<_>>().join("\n")
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(text: &str) -> Vec<String> {
    let mut counts = BTreeMap::<String, usize>::new();
    let headings = text.lines().filter(|line| line.starts_with('#'));
    let name = |heading: &str| {
        let kept = |c: &char| c.is_alphanumeric() || "-_ ".contains(*c);
        let title = heading.trim_start_matches('#').trim().to_lowercase();
        title.chars().filter(kept).collect::<String>().replace(' ', "-")
    };
    let numbered = headings.map(name).map(|name| {
        let before = counts.entry(name.clone()).or_default();
        *before += 1;
        if *before == 1 { name } else { format!("{name}-{}", *before - 1) }
    });
    numbered.collect()
}

/// The targets of a page's links.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next())
}

#[test]
fn every_link_has_a_target() {
    let mut count = 0;
    for (page, text) in pages() {
        for link in links(&text).filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => page.clone(),
                file => page.parent().expect("a folder").join(file),
            };
            assert!(target.exists(), "{}: {link}", page.display());
            let found = anchor.is_empty() || anchors(&prose(&target)).iter().any(|it| it == anchor);
            assert!(found, "{}: no heading {link}", page.display());
            count += 1;
        }
    }
    assert!(count > 100, "{count} links");
}

#[test]
fn every_script_that_a_page_names_exists() {
    let mut count = 0;
    for (page, _) in pages() {
        let text = fs::read_to_string(&page).expect("a page");
        let names = text.match_indices("scripts/").filter(|(at, _)| !text[..*at].ends_with('/'));
        for rest in names.map(|(at, folder)| &text[at + folder.len()..]) {
            let end = rest.find(|c: char| !c.is_alphanumeric() && !"-./".contains(c));
            let name = rest[..end.unwrap_or(rest.len())].trim_end_matches('.');
            assert!(
                root().join("scripts").join(name).exists(),
                "{}: scripts/{name}",
                page.display()
            );
            count += 1;
        }
    }
    assert!(count > 30, "{count} scripts");
}
