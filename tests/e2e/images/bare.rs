//! The front in an empty root, with what `server/Dockerfile` copies into it.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rl_tests::{Front, Setup, eventually, free_port, server_path, skip};
use serde_json::json;
use tempfile::TempDir;

use super::instructions;

/// The user that it runs as.
const USER: u32 = 65532;

/// The files of the last stage of the Dockerfile. The line that makes them is run as it stands,
/// except for paths.
fn image() -> TempDir {
    let lines = instructions("server/Dockerfile");
    let line = lines.iter().find_map(|line| line.strip_prefix("RUN mkdir -p /image")).unwrap();
    assert!(
        lines.ends_with(
            &[
                "FROM scratch",
                "COPY --from=build /image /",
                "ENV PORT=8080",
                "EXPOSE 8080",
                "USER 65532:65532",
                r#"ENTRYPOINT ["/rl-server"]"#,
            ]
            .map(str::to_owned)
        )
    );
    let folder = TempDir::new().unwrap();
    let line = format!("mkdir -p /image{line}")
        .replace("/image", folder.path().to_str().unwrap())
        .replace("target/release/rl-server", server_path().to_str().unwrap());
    let output = Command::new("sh").args(["-c", &line]).output().unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    folder
}

/// A command that starts in another root, as the image's user if that is permitted; `None` where
/// neither is.
fn within(root: &Path) -> Option<Command> {
    let rooted = |root: &Path, words: &[&str]| {
        let mut command = Command::new(words[0]);
        command
            .args(&words[1..])
            .arg(root)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
        command
    };
    let user = format!("--userspec={USER}:{USER}");
    let programs = [vec!["chroot", &user], vec!["unshare", "--map-root-user", "chroot"]];
    // Tried in this root first: a front that does not start in the other root must not look like a
    // missing permission.
    let is_permitted = |program: &Vec<&str>| {
        let tried = rooted(Path::new("/"), program).arg("/bin/true").output();
        tried.is_ok_and(|output| output.status.success())
    };
    let permitted = programs.iter().find(|program| is_permitted(program));
    permitted.map(|program| rooted(root, program))
}

#[test]
fn the_front_needs_only_the_files_of_the_image() {
    let image = image();
    let mut found = Vec::new();
    let mut folders = vec![image.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                assert!(path.symlink_metadata().unwrap().is_file(), "{path:?} is a link");
                found.push(path.file_name().unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    let loader = found.iter().position(|name| name.starts_with("ld-linux-")).expect("a loader");
    found.remove(loader);
    assert_eq!(found, ["libc.so.6", "libgcc_s.so.1", "libm.so.6", "nsswitch.conf", "rl-server"]);

    // A container engine adds this file.
    fs::write(image.path().join("etc/hosts"), "127.0.0.1 redis.test\n").unwrap();
    let Some(mut command) = within(image.path()) else {
        skip!("no process here may change its root, see chroot(1) and unshare(1)")
    };
    let redis = Setup::with_module().start();
    command.args(["/rl-server", "--store", &format!("redis://redis.test:{}", redis.port())]);
    command.env("PORT", free_port().to_string()); // the image says 8080
    let front = Front::launch(command);
    eventually("the front is ready", Duration::from_secs(20), || {
        front.get("/health/ready").status == 200
    });
    let process = fs::metadata(format!("/proc/{}", front.pid())).unwrap();
    let expected = if rustix::process::geteuid().is_root() { USER } else { process.uid() };
    assert_eq!(process.uid(), expected);
    let ready = front.get("/health/ready").body;
    assert_eq!(ready["store"], json!("up"), "the host name resolves: {ready}");
    let answer = front.check(r#"{"key":"k","capacity":9,"rate":"1/d"}"#);
    assert_eq!((&answer["remaining"], &answer["degraded"]), (&json!(8), &json!(null)));
    assert_eq!(redis.run::<i64>("EXISTS rl:{k}:inline"), 1);
}
