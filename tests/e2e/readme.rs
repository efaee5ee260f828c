//! The README's tables of flags and subcommands agree with `rl-server --help`. `RL_BLESS=1` writes
//! them.

use std::env;
use std::fs;
use std::path::Path;

use rl_tests::Front;

/// A flag of the help, and the paragraphs and values below it, each in one line.
struct Entry {
    name: String,
    lines: Vec<String>,
}

fn help(arguments: &[&str]) -> String {
    let output = Front::run(&[arguments, &["--help"]].concat());
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The flags below the headings.
fn flags(help: &str) -> Vec<Entry> {
    let mut flags = Vec::<Entry>::new();
    let mut continues = false;
    for line in help.lines() {
        let text = line.trim();
        if line.starts_with("      --") {
            let name = text.replace(['<', '>'], "");
            flags.push(Entry { name, lines: Vec::new() });
        } else if !line.starts_with("    ") && !text.is_empty() {
            flags.push(Entry { name: String::new(), lines: Vec::new() }); // not a flag's
        } else if let (Some(flag), false) = (flags.last_mut(), text.is_empty()) {
            match flag.lines.last_mut().filter(|_| continues && !text.starts_with("- ")) {
                Some(last) => *last += &format!(" {text}"),
                None => flag.lines.push(text.to_owned()),
            }
            continues = true;
            continue;
        }
        continues = false;
    }
    flags.retain(|flag| !flag.name.is_empty());
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
        let (mut texts, mut values) = (Vec::new(), String::new());
        let (mut environment, mut default) = (String::new(), String::new());
        for line in &lines {
            let is_bracket = line.starts_with('[');
            if let (true, Some((value, _))) = (is_bracket, bracket(line, "env")) {
                environment = format!("`{value}`");
            }
            if let (true, Some((value, _))) = (is_bracket, bracket(line, "default")) {
                default = format!("`{value}`");
            }
            if let Some((value, means)) = line.strip_prefix("- ").and_then(|it| it.split_once(':'))
            {
                values += &format!("; `{value}`: {}", means.trim());
            } else if let (false, Some((value, rest))) = (is_bracket, bracket(line, "default")) {
                default = value;
                texts.push(rest);
            } else if !is_bracket && line != "Possible values:" {
                texts.push(line.trim_end_matches('.').to_owned());
            }
        }
        let text = texts.join(". ") + &values;
        table += &format!("| `{name}` | {environment} | {default} | {text} |\n");
    }
    table
}

fn commands(help: &str) -> String {
    let (_, commands) = help.split_once("Commands:\n").expect("commands");
    let (commands, _) = commands.split_once("\n\n").expect("an end");
    let mut table = "| command | |\n| --- | --- |\n".to_owned();
    // A text that is too long for a line goes on below itself.
    for line in commands.replace("\n            ", " ").lines() {
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
