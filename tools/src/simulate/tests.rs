//! `simulate` from the command line, and the page that shows its output.

use std::{env, fs, path::Path};

use clap::{Args, Command, FromArgMatches};
use rl_bucket::Limit;

use super::{SimulateArgs, plot, run};

fn args(words: &str) -> Result<SimulateArgs, String> {
    let command = SimulateArgs::augment_args(Command::new("simulate").no_binary_name(true));
    let matches = command.try_get_matches_from(words.split_whitespace());
    SimulateArgs::from_arg_matches(&matches.map_err(|error| error.to_string())?)
        .map_err(|error| error.to_string())
}

fn no_file(_: &Path, policy: &str) -> Result<Limit, String> {
    Err(format!("no file has {policy}"))
}

fn drawn(args: &SimulateArgs) -> String {
    plot::svg(&args.simulate(args.inline_limit()))
}

fn printed(args: &SimulateArgs) -> String {
    let mut out = Vec::new();
    run(args, no_file, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Runs the commands of `docs/algorithms.md` and compares its tables and pictures with the output.
/// With `RL_BLESS` set, pictures are drawn anew; a table that differs is printed in any case.
#[test]
fn tables_and_pictures_of_the_page_are_current() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let page = fs::read_to_string(docs.join("algorithms.md")).unwrap();
    let mut pictures = 0;
    for block in page.split("```console\n").skip(1) {
        let (block, _) = block.split_once("```").unwrap();
        let (command, table) = block.split_once('\n').unwrap();
        let words = command.strip_prefix("$ rl-server simulate").unwrap();
        let mut args = args(words).unwrap();
        let file = args.plot.take();
        let output = printed(&args);
        assert!(output.trim_end() == table.trim_end(), "{command} prints:\n{output}");
        let Some(file) = file else { continue };
        let file = docs.join(file.strip_prefix("docs").unwrap());
        let drawn = drawn(&args);
        if env::var_os("RL_BLESS").is_some() {
            fs::write(&file, &drawn).unwrap();
        }
        let kept = fs::read_to_string(&file).unwrap_or_default();
        assert!(kept == drawn, "{} is not what {command} draws", file.display());
        assert!(drawn.len() < 60_000, "{}", drawn.len());
        assert!(
            page.contains(&format!("(algorithms/{})", file.file_name().unwrap().to_str().unwrap()))
        );
        pictures += 1;
    }
    assert!(pictures >= 2, "{pictures} pictures");
}

#[test]
fn a_picture_is_well_formed() {
    let args = args("--load 100/s:2s,0:1s --poisson --seed 9").unwrap();
    let picture = drawn(&args);
    let mut open = Vec::new();
    for tag in picture.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap();
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
    assert_eq!(picture.matches("class=\"name\"").count(), 4);
    assert_eq!(picture, drawn(&args));
}

#[test]
fn invalid_command_lines_name_the_rule() {
    for (words, rule) in [
        ("--capacity 0", "capacity must be"),
        ("--rate 1/w", "rate must be"),
        ("--cost -1", "unexpected argument"),
        ("--load 5", "load must be RATE:TIME"),
        ("--seed 1", "--poisson"),
        ("--seed x --poisson", "invalid digit"),
    ] {
        let error = args(words).unwrap_err();
        assert!(error.contains(rule), "{words}: {error}");
    }
    let missing = args("--plot /nonexistent/x.svg").unwrap();
    let error = run(&missing, no_file, &mut Vec::new()).unwrap_err().to_string();
    assert!(error.starts_with("cannot write /nonexistent/x.svg: "), "{error}");
}

#[test]
fn the_limit_may_come_from_a_policy_file() {
    let args_of_file = args("--config limits.toml --policy api:day").unwrap();
    let mut out = Vec::new();
    let limit = |file: &Path, policy: &str| {
        assert_eq!((file, policy), (Path::new("limits.toml"), "api:day"));
        Ok(Limit::parse("4", "2/s").unwrap())
    };
    run(&args_of_file, limit, &mut out).unwrap();
    let same = args("--capacity 4 --rate 2/s").unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), printed(&same));

    let missing = args("--config limits.toml").unwrap();
    let error = run(&missing, no_file, &mut Vec::new()).unwrap_err();
    assert_eq!(error.to_string(), "no file has default");
    assert!(args("--policy api").unwrap_err().contains("--config"));
    assert!(args("--config limits.toml --rate 1").unwrap_err().contains("--rate"));
}
