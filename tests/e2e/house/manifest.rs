//! The dependencies of a crate.

use std::fs;
use std::path::Path;

/// The crates that a `Cargo.toml` depends on, without those of tests and benchmarks.
pub(super) fn dependencies(manifest: &Path) -> Vec<String> {
    let text = fs::read_to_string(manifest);
    let text = text.unwrap_or_else(|error| panic!("{}: {error}", manifest.display()));
    read(&text)
}

fn read(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut is_inside = false;
    for line in text.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            // Includes those of one platform: `target.'cfg(unix)'.dependencies`.
            is_inside = section == "build-dependencies"
                || section.split('.').next_back() == Some("dependencies");
            let one = section.split_once("dependencies.").filter(|_| !section.contains("dev-"));
            all.extend(one.map(|(_, name)| name.to_owned()));
        } else if is_inside && !line.is_empty() && !line.starts_with('#') {
            let end = line.find(['.', '=', ' ']).unwrap_or(line.len());
            all.push(line[..end].to_owned());
        }
    }
    all
}

#[test]
fn dependencies_are_found_in_every_form() {
    let text = "[dependencies]\nrl-bucket.workspace = true\n# no\nlog = \"1\"\n\
        [dependencies.redis]\nversion = \"1\"\n[target.'cfg(unix)'.dependencies]\nrustix = \"1\"\n\
        [dev-dependencies]\nnum = \"1\"\n[dev-dependencies.proptest]\nversion = \"1\"\n\
        [build-dependencies]\ncc = \"1\"\n[lints]\nworkspace = true\n";
    assert_eq!(read(text), ["rl-bucket", "log", "redis", "rustix", "cc"]);
}
