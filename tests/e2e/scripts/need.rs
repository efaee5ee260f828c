//! `scripts/need --list`: the packages of missing tools.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{program, run, script};

/// The packages that are listed for these tools, with libclang looked for in `libclang` alone.
#[track_caller]
fn listed(tools: &[&str], path: &Path, libclang: &Path) -> String {
    let mut command = Command::new(program("bash"));
    command.arg(script("need")).arg("--list").args(tools);
    let (code, said) = run(command.env("PATH", path).env("LIBCLANG_PATH", libclang));
    assert_eq!(code, 0, "{said}");
    said
}

#[test]
fn libclang_cpp_is_not_libclang() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let libclang = |place: &str| listed(&["libclang"], folder, &folder.join(place));
    assert_eq!(libclang(""), "libclang-dev\n");
    for name in ["libclang-cpp.so", "libclang-cpp.so.14", "libclang-cpp.so.14.0.6", "libLLVM-14.so"]
    {
        fs::write(folder.join(name), "").unwrap();
        assert_eq!(libclang(""), "libclang-dev\n", "{name}");
        assert_eq!(libclang(name), "libclang-dev\n", "{name}");
    }
}

#[test]
fn libclang_is_found_under_each_of_its_names() {
    for name in ["libclang.so", "libclang-14.so", "libclang.so.1", "libclang-14.so.1"] {
        let folder = TempDir::new().unwrap();
        let folder = folder.path();
        fs::write(folder.join("libclang-cpp.so.14"), "").unwrap();
        fs::write(folder.join(name), "").unwrap();
        assert_eq!(listed(&["libclang"], folder, folder), "", "{name}");
        assert_eq!(listed(&["libclang"], folder, &folder.join(name)), "", "{name} as a file");
    }
}

#[test]
fn packages_of_missing_programs_are_listed() {
    let folder = TempDir::new().unwrap();
    let folder = folder.path();
    let tools = ["protoc", "no-such-program", "cc", "php", "phpredis", "predis"];
    let rest = "no-such-program\ngcc\nlibc6-dev\nphp-cli\nphp-redis\nphp-predis\n";
    let all = format!("protobuf-compiler\n{rest}");
    assert_eq!(listed(&tools, folder, folder), all);
    fs::copy(program("true"), folder.join("protoc")).unwrap();
    assert_eq!(listed(&tools, folder, folder), rest);
}

#[test]
fn it_needs_a_tool() {
    for arguments in [&[][..], &["--list"], &["--no-such-flag"]] {
        let (code, said) = run(Command::new(script("need")).args(arguments));
        let usage = "Installs the Debian packages of missing tools";
        assert_eq!((code, said.starts_with(usage)), (2, true), "{said}");
    }
}
