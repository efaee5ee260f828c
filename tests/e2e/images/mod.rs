//! The container images and the files that run them, followed without a container engine.
//!
//! | file | contents |
//! | --- | --- |
//! | `bare` | the front in a root with only the files that `server/Dockerfile` copies |
//! | `store` | Redis as `module/image` starts it, and its users |
//! | `compose` | fronts in the environment of `compose.yaml`, and the files that it names |
//! | `kubernetes` | fronts in the environment of `kubernetes/`, and the references in it |
//! | `deployed` | a front in such an environment |

mod bare;
mod compose;
mod deployed;
mod kubernetes;
mod store;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A file of the repository.
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
fn images_are_built_from_files_that_exist() {
    let ignored = text(".dockerignore");
    let sent = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect::<Vec<_>>();
    assert!(ignored.lines().any(|line| line == "*"), "everything is ignored by default");
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
        // The user is a number, which Kubernetes can tell from root.
        let user = instructions.iter().rev().find_map(|line| line.strip_prefix("USER ")).unwrap();
        let ids = user.split(':').map(|id| id.parse::<u32>().unwrap()).collect::<Vec<_>>();
        assert!(ids.len() == 2 && !ids.contains(&0), "{dockerfile}: USER {user}");
    }
}
