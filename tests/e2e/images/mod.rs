//! The container images and what runs them, without a container engine: what the files say, done here.
//!
//! | file | holds |
//! | --- | --- |
//! | `bare` | the front in a root that has what `server/Dockerfile` puts there, and nothing else |
//! | `store` | how `module/image` starts Redis, and who gets in |
//! | `compose`, `kubernetes` | fronts with the environment they get there; what these files name is there |

mod bare;
mod compose;
mod deployed;
mod kubernetes;
mod store;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A file of the tree.
fn tree(path: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(path)
}

#[track_caller]
fn text(path: &str) -> String {
    fs::read_to_string(tree(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[track_caller]
fn documents(path: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[track_caller]
fn strings(list: &Value) -> Vec<String> {
    let items = list.as_array().unwrap_or_else(|| panic!("no list: {list}")).iter();
    items.map(|item| item.as_str().unwrap().to_owned()).collect()
}

/// The instructions of a Dockerfile, each on one line.
fn instructions(dockerfile: &str) -> Vec<String> {
    let text = text(dockerfile);
    let lines = text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n");
    let joined = lines.replace("\\\n", "");
    joined.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

#[test]
fn images_are_built_of_what_there_is() {
    let ignored = text(".dockerignore");
    let sent = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect::<Vec<_>>();
    assert!(ignored.lines().any(|line| line == "*"), "all but what is named stays out");
    for path in &sent {
        assert!(tree(path).exists(), "{path}");
    }
    for dockerfile in ["server/Dockerfile", "module/Dockerfile"] {
        let instructions = instructions(dockerfile);
        let copies = instructions.iter().filter_map(|line| line.strip_prefix("COPY "));
        for copy in copies.filter(|copy| !copy.starts_with("--from=")) {
            let (sources, _) = copy.rsplit_once(' ').unwrap();
            let sources =
                sources.split_whitespace().filter(|it| *it != "." && !it.starts_with("--"));
            for source in sources {
                assert!(tree(source).exists(), "{dockerfile}: {source}");
                let folder = source.split('/').next().unwrap();
                assert!(sent.contains(&folder), "{dockerfile}: {source} is not sent");
            }
        }
        // All members of the workspace are in the context, or cargo reads none.
        let manifest = text("Cargo.toml");
        let members = manifest.lines().find_map(|line| line.strip_prefix("members = ")).unwrap();
        let members: Vec<String> = serde_json::from_str(members).unwrap();
        for member in members {
            let manifest = format!("{member}/Cargo.toml");
            assert!(sent.contains(&&*member) || sent.contains(&&*manifest), "{member}");
        }
        // The compiler of the image is the one that the workspace asks for.
        let minor = manifest.lines().find_map(|it| it.strip_prefix("rust-version = ")).unwrap();
        let image = format!("ARG RUST=docker.io/library/rust:{}-bookworm", minor.trim_matches('"'));
        assert!(instructions.contains(&image), "{dockerfile}: {image}");
        // Who runs it is a number, which Kubernetes can tell from root.
        let user = instructions.iter().rev().find_map(|line| line.strip_prefix("USER ")).unwrap();
        let ids = user.split(':').map(|id| id.parse::<u32>().unwrap()).collect::<Vec<_>>();
        assert!(ids.len() == 2 && !ids.contains(&0), "{dockerfile}: USER {user}");
    }
}
