//! Writes the man pages of `rl-server`, and its completions for bash, zsh and fish, into a folder:
//!
//! ```sh
//! cargo run -p rl-server --example manual -- FOLDER
//! ```
//!
//! An example rather than a flag of the server, which would carry it into production.
//! `scripts/package` runs it.

#![forbid(unsafe_code)]

#[path = "../../src/cli.rs"]
#[expect(dead_code, reason = "the manual needs the description, not the parser")]
mod cli;
#[path = "../../src/environment.rs"]
mod environment;
#[path = "../../src/help.rs"]
mod help;
mod page;

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use clap_complete::{Shell, generate};

fn main() -> io::Result<()> {
    let mut args = env::args_os().skip(1);
    let (Some(folder), None) = (args.next(), args.next()) else {
        return Err(io::Error::other("usage: manual FOLDER"));
    };
    write(&PathBuf::from(folder))
}

/// Writes `man1/*.1` and, for each shell, a folder with its file.
fn write(folder: &Path) -> io::Result<()> {
    let mut command = cli::command();
    for (shell, folder_name, file) in [
        (Shell::Bash, "bash", "rl-server"),
        (Shell::Zsh, "zsh", "_rl-server"),
        (Shell::Fish, "fish", "rl-server.fish"),
    ] {
        let folder = folder.join(folder_name);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(file), completions(shell, &mut command))?;
    }
    let folder = folder.join("man1");
    fs::create_dir_all(&folder)?;
    for (name, page) in page::all(&command)? {
        fs::write(folder.join(format!("{name}.1")), page)?;
    }
    Ok(())
}

/// The script that completes command lines in a shell.
fn completions(shell: Shell, command: &mut clap::Command) -> Vec<u8> {
    let mut script = Vec::new();
    generate(shell, command, "rl-server", &mut script);
    if shell != Shell::Bash {
        return script;
    }
    // clap_complete 4.6.12 has two names for a subcommand of a program with a hyphen in its own, so
    // that bash would complete nothing after `rl-server check`.
    let script = String::from_utf8_lossy(&script);
    script.replace("rl__subcmd__server__", "rl__server__").into_bytes()
}

#[cfg(test)]
mod tests {
    use std::{
        env, fs,
        io::{self, Write},
        path::PathBuf,
        process::{Command, id},
    };

    use super::{cli, page, write};

    /// A folder with the manual, which is removed in the end.
    struct Manual(PathBuf);

    impl Manual {
        fn new(name: &str) -> Self {
            let folder = env::temp_dir().join(format!("rl-manual-{}-{name}", id()));
            write(&folder).unwrap();
            Self(folder)
        }
    }

    impl Drop for Manual {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn every_flag_and_variable_is_in_the_man_page_of_its_command() {
        let root = cli::command();
        let pages = page::all(&root).unwrap();
        assert_eq!(pages.len(), root.get_subcommands().count()); // `help` has none, the root has
        for (name, page) in &pages {
            let page = String::from_utf8(page.clone()).unwrap().replace('\\', "");
            let command = match name.strip_prefix("rl-server-") {
                Some(name) => root.find_subcommand(name).unwrap(),
                None => &root,
            };
            for arg in command.get_arguments() {
                if let Some(flag) = arg.get_long() {
                    assert!(page.contains(&format!("fB--{flag}fR")), "{name}: {flag}");
                }
                if let Some(variable) = arg.get_env() {
                    let variable = variable.to_str().unwrap();
                    assert!(page.contains(&format!(".TP\nfB{variable}fR")), "{name}: {variable}");
                }
            }
            for section in ["NAME", "SYNOPSIS", "\"EXIT STATUS\"", "EXAMPLES", "\"SEE ALSO\""] {
                assert!(page.contains(&format!(".SH {section}\n")), "{name}: {section}");
            }
        }
        let root = String::from_utf8(pages[0].1.clone()).unwrap();
        for section in ["ENVIRONMENT", "SIGNALS", "FILES"] {
            assert!(root.contains(&format!(".SH {section}\n")), "{section}");
        }
    }

    #[test]
    fn the_man_pages_are_formatted_without_warnings() {
        let manual = Manual::new("man");
        for file in fs::read_dir(manual.0.join("man1")).unwrap() {
            let file = file.unwrap().path();
            let groff = ["-man", "-Tutf8", "-ww", "-rLL=72n"];
            let Ok(output) = Command::new("groff").args(groff).arg(&file).output() else {
                // Not captured, unlike eprintln: .ci/run counts it.
                let test = "tests::the_man_pages_are_formatted_without_warnings";
                writeln!(io::stderr(), "skipped: {test}: no groff").unwrap();
                return;
            };
            let warnings = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success() && warnings.is_empty(), "{warnings}");
        }
    }

    #[test]
    fn bash_completes_flags_values_and_commands() {
        let manual = Manual::new("bash");
        let script = r#"
            source "$1"
            COMP_WORDS=("${@:2}") COMP_CWORD=$(($# - 2)) COMPREPLY=()
            _rl__server rl-server "${@: -1}" "${@: -2:1}"
            printf '%s\n' "${COMPREPLY[@]}"
        "#;
        for (words, completions) in [
            (&["rl-server", "--check-c"][..], &["--check-config"][..]),
            (&["rl-server", "--engine", ""], &["auto", "module", "lua"]),
            (&["rl-server", "sim"], &["simulate"]),
            (&["rl-server", "peek", "--key-s"], &["--key-secret-file"]),
        ] {
            let file = manual.0.join("bash/rl-server");
            let mut bash = Command::new("bash");
            let bash = bash.args(["--norc", "-ec", script, "bash"]).arg(file).args(words);
            let output = bash.output().unwrap();
            let (out, err) = (output.stdout, String::from_utf8_lossy(&output.stderr));
            let out = String::from_utf8(out).unwrap();
            assert_eq!(out.lines().collect::<Vec<_>>(), completions, "{words:?}: {err}");
        }
    }

    #[test]
    fn zsh_and_fish_have_every_command() {
        let manual = Manual::new("shells");
        for file in ["zsh/_rl-server", "fish/rl-server.fish"] {
            let text = fs::read_to_string(manual.0.join(file)).unwrap();
            for command in cli::command().get_subcommands() {
                assert!(text.contains(command.get_name()), "{file}: {}", command.get_name());
            }
        }
    }
}
