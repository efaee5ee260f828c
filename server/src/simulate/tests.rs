use std::{env, fs, path::Path};

use clap::{Args, Command, FromArgMatches};

use super::{SimulateArgs, Simulation, plot, run};

fn args(words: &str) -> Result<SimulateArgs, String> {
    let command = SimulateArgs::augment_args(Command::new("simulate").no_binary_name(true));
    let matches = command.try_get_matches_from(words.split_whitespace());
    SimulateArgs::from_arg_matches(&matches.map_err(|error| error.to_string())?)
        .map_err(|error| error.to_string())
}

fn printed(args: &SimulateArgs) -> String {
    let mut out = Vec::new();
    run(args, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The pictures and tables of `docs/algorithms.md` are what its commands make. With `RL_BLESS` set the
/// pictures are drawn anew, and a table that is no longer true is printed.
#[test]
fn the_page_is_computed() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let page = fs::read_to_string(docs.join("algorithms.md")).unwrap();
    let mut pictures = 0;
    for block in page.split("```console\n").skip(1) {
        let (block, _) = block.split_once("```").unwrap();
        let (command, table) = block.split_once('\n').unwrap();
        let words = command.strip_prefix("$ rl-server simulate").unwrap();
        let mut args = args(words).unwrap();
        let file = args.plot.take();
        let said = printed(&args);
        assert!(said.trim_end() == table.trim_end(), "{command} prints:\n{said}");
        let Some(file) = file else { continue };
        let file = docs.join(file.strip_prefix("docs").unwrap());
        let drawn = plot::svg(&Simulation::new(&args, args.limit().unwrap()));
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
    let drawn = plot::svg(&Simulation::new(&args, args.limit().unwrap()));
    let mut open = Vec::new();
    for tag in drawn.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap();
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?}");
    assert_eq!(drawn.matches("class=\"name\"").count(), 4);
    assert_eq!(drawn, plot::svg(&Simulation::new(&args, args.limit().unwrap())));
}

#[test]
fn refusals() {
    for (words, rule) in [
        ("--capacity 0", "capacity must be"),
        ("--rate 1/w", "rate must be"),
        ("--cost -1", "unexpected argument"),
        ("--load 5", "load must be RATE:TIME"),
        ("--seed 1", "--poisson"),
        ("--seed x --poisson", "invalid digit"),
    ] {
        let said = args(words).unwrap_err();
        assert!(said.contains(rule), "{words}: {said}");
    }
    let missing = args("--plot /nonexistent/x.svg").unwrap();
    let said = run(&missing, &mut Vec::new()).unwrap_err().to_string();
    assert!(said.starts_with("cannot write /nonexistent/x.svg: "), "{said}");
}

#[test]
fn a_policy_of_a_file() {
    let file = env::temp_dir().join(format!("rl-simulate-{}.toml", std::process::id()));
    let policies = "[policies.default]\ncapacity = 4\nrate = \"2/s\"\n\
        [policies.api]\nlimits = [\n\
        { name = \"burst\", capacity = 20, rate = \"10/s\" },\n\
        { name = \"day\", capacity = 100, rate = \"100/d\" },\n]\n";
    fs::write(&file, policies).unwrap();
    let config = file.to_str().unwrap();
    let limit = |policy: &str| args(&format!("--config {config} {policy}")).unwrap().limit();
    let shown =
        |policy: &str| limit(policy).map(|limit| format!("{} {}", limit.capacity(), limit.rate()));
    assert_eq!(shown(""), Ok("4 2/s".to_owned()));
    assert_eq!(shown("--policy api:day"), Ok("100 100/d".to_owned()));
    for (policy, reason) in [
        ("--policy api", "the policy has several limits: name one, as POLICY:LIMIT"),
        ("--policy api:hour", "the policy has no limit of this name"),
        ("--policy default:default", "the policy has no limit of this name"),
        ("--policy none", "no policy has this name"),
    ] {
        assert_eq!(shown(policy), Err(format!("{config}: {reason}")));
    }
    assert!(args("--policy api").unwrap_err().contains("--config"));
    assert!(args(&format!("--config {config} --rate 1")).unwrap_err().contains("--rate"));
    fs::remove_file(&file).unwrap();
    assert!(limit("").unwrap_err().contains("No such file"));
}
