//! The example of the store library: a service that limits its own callers.

use std::process::{Command, Stdio};
use std::thread;
use std::time::Instant;

use rl_tests::{Setup, example_path};

/// The lines of a run of the example over this store.
fn run(store: &str) -> Vec<String> {
    let mut command = Command::new(example_path("embed"));
    let output = command.arg(store).stderr(Stdio::inherit()).output().expect("the example");
    assert!(output.status.success(), "{store}: {}", output.status);
    let text = String::from_utf8(output.stdout).expect("text");
    text.lines().map(str::to_owned).collect()
}

fn allowed(lines: &[String]) -> usize {
    lines.iter().filter(|line| line.contains(": allowed, ")).count()
}

#[test]
fn a_service_is_limited_in_memory() {
    let lines = run("memory");
    assert_eq!(lines.len(), 10, "{lines:?}");
    assert_eq!(lines[0], "call 1: allowed, 4 left");
    // After a denial it waits as long as it was told to: the next call is allowed.
    for pair in lines.windows(2).filter(|pair| pair[0].contains(": denied, wait ")) {
        assert!(pair[1].contains(": allowed, "), "{lines:?}");
    }
}

#[test]
fn two_services_share_a_limit_over_redis() {
    for server in [Setup::with_module().start(), Setup::plain().start()] {
        let address = server.url();
        let started = Instant::now();
        let runs: Vec<_> = thread::scope(|scope| {
            let services = [0, 1].map(|_| scope.spawn(|| run(&address)));
            services.map(|service| service.join().expect("a run")).into()
        });
        let elapsed = started.elapsed();
        assert!(runs.iter().flatten().all(|line| line.contains("ed, ")), "{runs:?}");
        // Together: the capacity of 5, and 10 a second.
        let bound = 5.0 + 10.0 * elapsed.as_secs_f64();
        let both: usize = runs.iter().map(|lines| allowed(lines)).sum();
        assert!(both >= 5 && both as f64 <= bound, "{both} in {elapsed:?}: {runs:?}");
    }
}
