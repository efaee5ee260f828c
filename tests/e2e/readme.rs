//! The README's tables of flags and subcommands agree with `rl-server --help`. `RL_BLESS=1` writes
//! them.

use std::env;
use std::fs;
use std::path::Path;

use rl_tests::Front;

/// A flag or subcommand of the help.
#[derive(Default)]
struct Entry {
    name: String,
    lines: Vec<String>,
}

fn help(arguments: &[&str]) -> String {
    let output = Front::run(&[arguments, &["--help"]].concat());
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The flags, each with the lines below it.
fn flags(help: &str) -> Vec<Entry> {
    let (_, options) = help.split_once("Options:\n").expect("options");
    let mut flags = Vec::<Entry>::new();
    for line in options.lines() {
        if line.trim_start().starts_with('-')
            && line.starts_with("  ")
            && !line.starts_with("       ")
        {
            let name = line.trim().trim_start_matches("-h, ").trim_start_matches("-V, ");
            flags.push(Entry { name: name.replace(['<', '>'], ""), lines: Vec::new() });
        } else if let (Some(flag), false) = (flags.last_mut(), line.trim().is_empty()) {
            flag.lines.push(line.trim().to_owned());
        }
    }
    flags.retain(|flag| !["--help", "--version"].contains(&flag.name.as_str()));
    flags
}

/// The value of `[name: ...]`, and the text without it.
fn bracket(text: &str, name: &str) -> Option<(String, String)> {
    let (before, rest) = text.split_once(&format!("[{name}"))?;
    let (value, after) = rest.split_once(']')?;
    let value = value.trim_start_matches(':').trim();
    // Without the value that a variable has now.
    let value = value.split('=').next().unwrap_or_default().to_owned();
    Some((value, format!("{}{after}", before.trim_end())))
}

fn table(help: &str) -> String {
    let mut table = "| flag | environment | default | |\n| --- | --- | --- | --- |\n".to_owned();
    for Entry { name, lines } in flags(help) {
        let mut text = lines.first().cloned().unwrap_or_default();
        let (mut environment, mut default) = (String::new(), String::new());
        for line in &lines[1..] {
            if let Some((value, _)) = bracket(line, "env") {
                environment = format!("`{value}`");
            }
            if let Some((value, _)) = bracket(line, "default") {
                default = format!("`{value}`");
            }
            if let Some((value, means)) = line.strip_prefix("- ").and_then(|it| it.split_once(':'))
            {
                text += &format!("; `{value}`: {}", means.trim());
            }
        }
        if let Some((value, rest)) = bracket(&text, "default") {
            (default, text) = (value, rest);
        }
        table += &format!("| `{name}` | {environment} | {default} | {text} |\n");
    }
    table
}

fn commands(help: &str) -> String {
    let (_, commands) = help.split_once("Commands:\n").expect("commands");
    let (commands, _) = commands.split_once("\n\n").expect("an end");
    let mut table = "| command | |\n| --- | --- |\n".to_owned();
    for line in commands.lines() {
        let (name, text) = line.trim().split_once(' ').expect("a text");
        if name != "help" {
            table += &format!("| `rl-server {name}` | {} |\n", text.trim());
        }
    }
    table
}

#[test]
fn the_tables_agree_with_help() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let mut readme = fs::read_to_string(&path).expect("the README");
    let help = help(&[]);
    for (name, table) in [("flags", table(&help)), ("commands", commands(&help))] {
        let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
        let (before, rest) = readme.split_once(&open).expect("the start of the table");
        let (kept, after) = rest.split_once(&close).expect("the end of the table");
        if env::var_os("RL_BLESS").is_some() {
            readme = format!("{before}{open}{table}{close}{after}");
            fs::write(&path, &readme).expect("to write the README");
        } else {
            assert!(kept == table, "the README's table of {name} should be:\n{table}");
        }
    }
}
