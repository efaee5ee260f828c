//! The crates and files that `docs/ARCHITECTURE.md` describes: no dependency points up, and none
//! goes in a circle.
//!
//! The sources are read and not compiled. For circles a file is a node, and each path in its code
//! is an edge to the file that defines what the path names. Re-exports are followed, so a `mod.rs`
//! that only declares and re-exports is part of no circle, while one with code of its own can be.
//! Paths that start at a glob import or in an inline module are resolved as if they started in the
//! file, and a method call is no edge. Code behind `#[cfg(test)]` is left out.

mod circles;
mod imports;
mod manifest;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use imports::Modules;

/// Each crate, and the crates of RL that it may depend on. Tests may depend on all of them.
const CRATES: [(&str, &[&str]); 5] = [
    ("bucket", &[]),
    ("module", &["rl-bucket"]),
    ("store", &["rl-bucket"]),
    ("tools", &["rl-bucket", "rl-store"]),
    ("server", &["rl-bucket", "rl-store", "rl-tools"]),
];

/// Names of types that `docs/GLOSSARY.md` has replaced.
const RETIRED: &str = "AllOrNothing Ask Case Choice Deed Ends Frames Gather Known Lane Line Link \
    Live Named Names Over Pace Place Pulse Question Reach Refusal Serving Setback Share Shares \
    Silence Told Turn Unavailable Way Wire Words";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below `folder` whose name has one of these endings, as a path from the root of the
/// repository. Build output is left out.
fn files(folder: &str, ends: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        for path in entries.map(|entry| entry.expect("an entry").path()) {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                folders.push(path);
            } else if ends.iter().any(|end| name.ends_with(end)) {
                found.push(path.strip_prefix(root()).expect("a path below").to_owned());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn no_crate_depends_on_one_above_it() {
    let workspace = read(&root().join("Cargo.toml"));
    let members = workspace.lines().find(|line| line.starts_with("members = "));
    for member in members.expect("members").split('"').skip(1).step_by(2) {
        let is_listed = member == "tests" || CRATES.iter().any(|(name, _)| *name == member);
        assert!(is_listed, "{member}: say in CRATES what it may depend on");
    }
    for (name, below) in CRATES {
        let dependencies = manifest::dependencies(&root().join(name).join("Cargo.toml"));
        for dependency in dependencies.iter().filter(|it| it.starts_with("rl-")) {
            let is_below = below.contains(&dependency.as_str());
            assert!(is_below, "{name} may depend on {below:?} only, not on {dependency}");
        }
    }
}

#[test]
fn the_bucket_depends_on_nothing_and_the_store_on_no_server() {
    let of = |name: &str| manifest::dependencies(&root().join(name).join("Cargo.toml"));
    assert_eq!(of("bucket"), <[&str; 0]>::default(), "dependencies of the bucket");
    for barred in ["actix-web", "clap"] {
        let found = of("store").iter().any(|it| it == barred);
        assert!(!found, "{barred}: any Rust service can embed the store, which serves no HTTP");
    }
}

#[test]
fn only_the_program_names_the_tools() {
    for file in files("server/src", &[".rs"]) {
        let is_program = ["server/src/main.rs", "server/src/cli.rs"].iter().any(|it| file == **it);
        let tokens = source::tokens(&root().join(&file));
        let names_them = tokens.iter().any(|token| token == "rl_tools");
        let file = file.display();
        assert!(is_program || !names_them, "{file}: only main.rs and cli.rs may name rl_tools");
    }
}

#[test]
fn no_files_of_a_crate_use_each_other_in_a_circle() {
    let mut found = Vec::new();
    for (name, _) in CRATES {
        for file in ["lib.rs", "main.rs"].map(|it| Path::new(name).join("src").join(it)) {
            if root().join(&file).exists() {
                found.extend(circles::circles(&Modules::read(&root(), &file).uses()));
            }
        }
    }
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn files_that_the_architecture_names_are_there() {
    let page = read(&root().join("docs/ARCHITECTURE.md"));
    let sources = files("", &[".rs", ".lua", ".toml"]);
    // The page gives paths from the root of the repository, or from a crate's `src`.
    let crates = CRATES.iter().map(|(name, _)| root().join(name).join("src"));
    let bases: Vec<_> = crates.chain([root()]).collect();
    let (mut count, mut missing) = (0, Vec::new());
    for name in page.split('`').skip(1).step_by(2) {
        let is_file = [".rs", ".lua", ".toml"].iter().any(|end| name.ends_with(end));
        let is_word = name.contains([' ', '{', '*', ':', '<']) || name.starts_with('/');
        if is_word || !(is_file || name.ends_with('/')) {
            continue;
        }
        let found = match name.contains('/') {
            true => bases.iter().any(|base| base.join(name).exists()),
            false => sources.iter().any(|file| file.ends_with(name)),
        };
        if !found {
            missing.push(name);
        }
        count += 1;
    }
    assert!(missing.is_empty(), "docs/ARCHITECTURE.md names files that are not there: {missing:?}");
    assert!(count > 30, "{count} names");
}

#[test]
fn retired_names_are_not_defined_again() {
    let retired: Vec<_> = RETIRED.split_whitespace().collect();
    let mut found = Vec::new();
    for file in files("", &[".rs"]) {
        let tokens = source::tokens(&root().join(&file));
        let pairs = tokens.windows(2);
        let types = pairs.filter(|pair| ["struct", "enum", "trait", "type"].contains(&&*pair[0]));
        let again = types.filter(|pair| retired.contains(&&*pair[1]));
        found.extend(again.map(|pair| format!("{} {} in {}", pair[0], pair[1], file.display())));
    }
    let list = found.join("\n");
    assert!(found.is_empty(), "docs/GLOSSARY.md has another name for each of these:\n{list}\n");
}
