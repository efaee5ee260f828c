//! What `--help` adds to the flags: headings, examples, exit codes and where to read on.

use clap::Command;

/// The columns of help on a terminal that is wider, or whose width is unknown.
pub(crate) const MAX_WIDTH: usize = 100;

// The headings of the front's flags.
pub(crate) const LISTENING: &str = "Listening";
pub(crate) const STORE: &str = "Store";
pub(crate) const POLICIES: &str = "Policies";
pub(crate) const ACCESS: &str = "Access";
pub(crate) const OPERATION: &str = "Operation";

/// The end of `-h`.
pub(crate) const AFTER_SHORT: &str = "\
Examples:
  rl-server
  rl-server --store redis://10.0.0.3 --config policies.toml
  rl-server check user:42

`rl-server --help` explains more, `rl-server help COMMAND` a command.";

/// The end of `--help`. The man page has the same sections.
pub(crate) const AFTER_LONG: &str = "\
Examples:
  Buckets in this process's memory, 100 tokens a minute a key:
    rl-server

  Buckets in Redis, limits from a file:
    rl-server --store redis://10.0.0.3 --config policies.toml

  For callers and a Redis on this machine, without ports:
    rl-server --listen unix:/run/rl/rl.sock --store redis+unix:///run/redis/redis.sock

  Whether files are valid, before a front reads them:
    rl-server --check-config policies.toml
    rl-server --check-config - <policies.toml

  May this key proceed? As a service asks, and from a terminal:
    curl -s http://127.0.0.1:8080/check -d '{\"key\":\"user:42\"}'
    rl-server check user:42

Exit status:
  0  stopped by SIGTERM or SIGINT, or the files are valid
  1  it cannot listen, or a file cannot be read or is not valid
  2  flags that are not valid or do not fit together

Documentation:
  Every front serves it, by default at http://127.0.0.1:8080/docs
  rl-server(1) has variables, signals and files.";

/// The command with `--help` and `--version` under a heading too, after the others.
pub(crate) fn under_headings(mut command: Command) -> Command {
    command.build();
    with_heading(command)
}

fn with_heading(command: Command) -> Command {
    let command = command.mut_args(|arg| {
        let has_heading = arg.is_positional() || arg.get_help_heading().is_some();
        if has_heading { arg } else { arg.help_heading("Help") }
    });
    command.mut_subcommands(with_heading)
}

#[cfg(test)]
mod tests {
    use clap::{Command, error::ErrorKind};

    use crate::cli::command;

    /// The command and each subcommand, by the words that call it.
    fn commands() -> Vec<(String, Command)> {
        let root = command();
        let subcommands = root.get_subcommands().filter(|it| it.get_name() != "help");
        let subcommands = subcommands.map(|it| (format!("rl-server {}", it.get_name()), it));
        let all = [("rl-server".to_owned(), &root)].into_iter().chain(subcommands);
        all.map(|(words, it)| (words, it.clone())).collect()
    }

    fn long_help(command: &Command) -> String {
        command.clone().render_long_help().to_string()
    }

    #[test]
    fn help_is_wrapped_to_the_terminal() {
        for (words, command) in commands() {
            for width in [60, 100] {
                let mut narrow = command.clone().term_width(width);
                let both = [narrow.render_help(), narrow.render_long_help()];
                for line in both
                    .iter()
                    .flat_map(|it| it.to_string().lines().map(str::to_owned).collect::<Vec<_>>())
                {
                    // What cannot be broken: one word, or a flag with its value.
                    let text = line.trim_start().trim_start_matches("- ");
                    let can_break = text.contains(' ') && !text.starts_with('-');
                    assert!(
                        line.chars().count() <= width || !can_break,
                        "{words}, {width} columns: {line}"
                    );
                }
            }
        }
    }

    #[test]
    fn short_help_is_shorter() {
        for (words, mut command) in commands() {
            let short = command.render_help().to_string().lines().count();
            let long = command.render_long_help().to_string().lines().count();
            assert!(short * 3 <= long * 2, "{words}: {short} lines of {long}");
        }
    }

    #[test]
    fn every_flag_has_a_heading_and_help() {
        for (words, command) in commands() {
            for arg in command.get_arguments().filter(|it| !it.is_positional()) {
                let is_own = !["help", "version"].contains(&arg.get_id().as_str());
                let heading = arg.get_help_heading().expect("a heading");
                assert!((heading != "Help") == is_own, "{words}: {arg}: {heading}");
                assert!(arg.get_help().is_some(), "{words}: {arg}");
            }
        }
    }

    #[test]
    fn help_names_only_flags_that_the_command_has() {
        for (words, command) in commands() {
            let help = long_help(&command);
            let mut previous = "";
            for word in help.split([' ', '\n', '=']).filter(|it| !it.is_empty()) {
                let word = word.trim_matches(|c: char| "`.,:;()[]".contains(c));
                // `rl-server --store` in a subcommand is the front's flag.
                let is_of_front = previous == "rl-server" || previous == "redis-cli";
                previous = word;
                let Some(flag) = word.strip_prefix("--").filter(|_| !is_of_front) else { continue };
                let is_known = command.get_arguments().any(|it| it.get_long() == Some(flag));
                let is_elsewhere = flag == "pipe"; // of redis-cli
                assert!(is_known || is_elsewhere, "{words}: --{flag}");
            }
        }
    }

    #[test]
    fn examples_are_command_lines_that_parse() {
        for (words, own) in commands() {
            let help = long_help(&own);
            let (_, examples) = help.split_once("Examples:\n").expect(&words);
            let (examples, after) = examples.split_once("\n\nExit status:\n").expect(&words);
            assert!(after.contains("  0  ") && after.contains("  2  "), "{words}");
            let lines = examples.lines().filter_map(|line| line.strip_prefix("    "));
            let lines: Vec<_> = lines.filter(|line| line.starts_with("rl-server")).collect();
            assert!(!lines.is_empty(), "{words}");
            for line in lines {
                let line = line.split([' ', '\'']).filter(|it| !it.is_empty());
                let line: Vec<_> = line.take_while(|it| !it.starts_with(['|', '<', '>'])).collect();
                let parsed = command().try_get_matches_from(&line);
                assert!(parsed.is_ok(), "{line:?}: {}", parsed.unwrap_err());
                assert!(own.get_name() == "rl-server" || line.get(1) == Some(&own.get_name()));
            }
        }
        let help = command().try_get_matches_from(["rl-server", "--help"]).unwrap_err();
        assert_eq!(help.kind(), ErrorKind::DisplayHelp);
    }
}
