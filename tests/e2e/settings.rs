//! Settings from flags and environment variables, and the files that can be validated.

use std::fs;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use rl_tests::{Front, server_path};
use tempfile::TempDir;

/// Runs `rl-server` with these variables, arguments and standard input.
fn run(environment: &[(&str, &str)], arguments: &[&str], input: &str) -> (Option<i32>, String) {
    let mut command = Command::new(server_path());
    command.args(arguments).env_remove("PORT").envs(environment.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("rl-server to start");
    let mut stdin = process.stdin.take().expect("standard input");
    let _ = stdin.write_all(input.as_bytes()); // not read by most
    drop(stdin);
    let Output { status, stdout, stderr } = process.wait_with_output().expect("an end");
    (status.code(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

#[test]
fn an_empty_variable_is_unset() {
    let help = Front::run(&["--help"]).stdout;
    let help = String::from_utf8(help).expect("UTF-8");
    let names = help.lines().filter_map(|line| line.trim().strip_prefix("[env: "));
    let names = names.map(|rest| rest.split(['=', ']']).next().unwrap_or_default());
    let mut environment: Vec<_> = names.map(|name| (name, "")).collect();
    assert!(environment.len() > 15, "{environment:?}");
    environment.extend([("PORT", ""), ("RUST_LOG", "")]);
    let front = Front::start_with_env(&environment, &[]);
    assert_eq!(front.check(r#"{"key":"k"}"#)["limit"], 100);
    assert!(front.start_line().contains("(store: memory)"), "{}", front.start_line());
    assert!(front.log().contains("INFO"), "{}", front.log());
    // Of subcommands too.
    let variables = [("RL_TOKEN", ""), ("RL_SERVER", "")];
    let (code, text) = run(&variables, &["check", "k", "--server", "http://127.0.0.1:1"], "");
    assert!(code == Some(3) && text.contains("Connection refused"), "{text}");
}

#[test]
fn an_error_names_the_variable_that_gave_the_value() {
    for (variable, value, text) in [
        ("RL_LISTEN", "8080", "'--listen <ADDRESS> (RL_LISTEN)': the address must be HOST:PORT"),
        ("RL_WORKERS", "0", "'--workers <N> (RL_WORKERS)': 0 is not in 1..=1024"),
        ("RL_RELOAD", "often", "'--reload <WHEN> (RL_RELOAD)'"),
        ("RL_STORE", "redis:/h", "--store (RL_STORE) must be memory"),
        ("RL_ENGINE", "lua", "--engine (RL_ENGINE) needs a --store in Redis"),
        ("PORT", "http", "PORT must be a port number"),
    ] {
        let (code, output) = run(&[(variable, value)], &[], "");
        assert!(code == Some(2) && output.contains(text), "{variable}: {output}");
    }
    let (_, output) = run(&[("RL_WORKERS", "2")], &["--workers", "0"], "");
    assert!(output.contains("'--workers <N>': 0 is not"), "the flag wins: {output}");
}

#[test]
fn files_are_validated_alone_and_together_and_from_standard_input() {
    let folder = TempDir::new().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (policies, tokens, bad) = (path("policies.toml"), path("tokens.toml"), path("bad.toml"));
    let token = "[[tokens]]\nname = \"a\"\nrole = \"check\"\nsha256 = \
        \"9a2a8e2f6d11e3b7a6c18f4f11a6ff13f5ab4b0bb49b5d3a2b7a2f0e2d3c4b5a\"\n";
    let policy = "[policies.a]\ncapacity = 1\nrate = 1\n";
    fs::write(&policies, policy).expect("to write a file");
    fs::write(&tokens, token).expect("to write a file");
    fs::write(&bad, token.replace("check", "t0psecret")).expect("to write a file");
    let both = ["--check-config", &policies, "--check-tokens", &tokens];
    let (code, output) = run(&[], &both, "");
    assert_eq!(code, Some(0), "{output}");
    let lines: Vec<_> = output.lines().collect();
    assert!(lines[0].contains("policies.toml: good, policies: 1, hash: "), "{output}");
    assert!(lines[1].contains("tokens.toml: good, tokens: 1, hash: "), "{output}");

    let refused = "bad.toml: line 3: unknown variant, expected `check` or `admin`";
    for (arguments, input, code, text) in [
        (&["--check-tokens", &*bad][..], "", 1, refused),
        (&["--check-config", &policies, "--check-tokens", &bad], "", 1, refused),
        (&["--check-config", "-"], policy, 0, "-: good, policies: 1, hash: "),
        (&["--check-config", "-"], "capacity = 1", 1, "-: line 1, column 1: unknown field"),
        (&["--check-tokens", "-"], token, 0, "-: good, tokens: 1, hash: "),
        (&["--check-tokens", "-"], "", 1, "-: line 1: the file must have [[tokens]]"),
        (&["--check-tokens", "/dev/zero"], "", 1, "/dev/zero: it must be a regular file"),
    ] {
        let (exit, output) = run(&[], arguments, input);
        assert_eq!(exit, Some(code), "{arguments:?}: {output}");
        assert!(output.contains(text) && !output.contains("t0psecret"), "{output}");
    }
}

#[test]
fn a_front_open_to_everybody_says_so_once() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("tokens.toml");
    fs::write(&file, "tokens = []").expect("to write the tokens");
    let tokens = ["--tokens", file.to_str().expect("a path in UTF-8")];
    for (listen, flags, warnings) in
        [("0.0.0.0:0", &[][..], 1), ("[::]:0", &[], 1), ("0.0.0.0:0", &tokens, 0)]
    {
        let mut command = Command::new(server_path());
        command.args(["--listen", listen]).args(flags).env_remove("PORT");
        let front = Front::launch(command);
        let address = front.address().replace("0.0.0.0", "127.0.0.1").replace("[::]", "[::1]");
        assert_eq!(front.get_text(&address, "/health/live").0, 200);
        let log = front.log();
        let found = log.lines().filter(|line| line.contains("listening on every address")).count();
        assert_eq!(found, warnings, "{listen}: {log}");
    }
    assert!(!Front::start(&[]).log().contains("listening on every address"));
}

#[test]
fn a_drawing_is_an_svg_and_a_duration_may_be_seconds() {
    let folder = TempDir::new().expect("a temporary folder");
    let (png, svg) = (folder.path().join("a.png"), folder.path().join("a.svg"));
    let plot =
        |file: &std::path::Path| run(&[], &["simulate", "--plot", &file.to_string_lossy()], "");
    let (code, output) = plot(&png);
    assert!(code == Some(2) && output.contains("must end in .svg") && !png.exists(), "{output}");
    assert_eq!(plot(&svg).0, Some(0));
    assert!(svg.exists());
    let front = Front::start(&[]);
    let server = format!("http://{}", front.address());
    let bench = ["bench", "--server", &server, "--duration", "1", "--rate", "20"];
    let (code, output) = run(&[], &bench, "");
    assert!(code == Some(0) && output.contains("20"), "{output}");
}

#[test]
fn a_name_that_no_policy_has_is_answered_with_those_there_are() {
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("policies.toml");
    let table = |name: &str| format!("[policies.{name}]\ncapacity = 1\nrate = 1\n");
    fs::write(&file, table("login") + &table("search")).expect("to write the policies");
    let file = file.to_string_lossy();
    let (code, output) = run(&[], &["simulate", "--config", &file, "--policy", "logn"], "");
    assert_eq!(code, Some(1));
    assert!(output.contains("no policy has this name; there are login, search"), "{output}");
}
