//! The man pages: of the server and of each of its commands.

use std::io;

use clap::Command;
use clap_mangen::Man;
use roff::{Roff, bold, roman};

/// The rest of the server's variables, and sections that its flags do not tell.
const BEHAVIOUR: &str = include_str!("behaviour.1");

/// The pages by name: the server's is the first.
pub(crate) fn all(root: &Command) -> io::Result<Vec<(String, Vec<u8>)>> {
    let commands: Vec<_> = root.get_subcommands().filter(|it| it.get_name() != "help").collect();
    let mut pages = vec![("rl-server".to_owned(), page(root, &commands)?)];
    for command in commands {
        pages.push((format!("rl-server-{}", command.get_name()), page(command, &[])?));
    }
    Ok(pages)
}

/// The page of a command.
fn page(command: &Command, subcommands: &[&Command]) -> io::Result<Vec<u8>> {
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim().to_owned();
    let version = format!("rl-server {}", env!("CARGO_PKG_VERSION"));
    let man = Man::new(command.clone().override_usage(usage)).source(version).manual("RL").date("");

    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    let mut roff = Roff::new();
    if !subcommands.is_empty() {
        roff.control("SH", ["COMMANDS"]);
    }
    for subcommand in subcommands {
        roff.control("TP", []);
        roff.text([bold(format!("rl-server-{}", subcommand.get_name())), roman("(1)")]);
        roff.text([roman(subcommand.get_about().unwrap_or_default().to_string())]);
    }
    environment(&mut roff, command);
    if !subcommands.is_empty() {
        roff.to_writer(&mut page)?;
        page.extend_from_slice(BEHAVIOUR.as_bytes());
        roff = Roff::new();
    }
    let end = command.get_after_long_help().or_else(|| command.get_after_help());
    let end = end.map(ToString::to_string).unwrap_or_default();
    section(&mut roff, &end, "Exit status");
    section(&mut roff, &end, "Examples");
    roff.control("SH", ["SEE ALSO"]);
    if subcommands.is_empty() {
        roff.text([bold("rl-server"), roman("(1)")]);
    } else {
        roff.text([bold("systemctl"), roman("(1), "), bold("redis-server"), roman("(1)")]);
    }
    roff.to_writer(&mut page)?;
    Ok(page)
}

/// The variables of a command's flags.
fn environment(roff: &mut Roff, command: &Command) {
    let mut is_first = true;
    for arg in command.get_arguments() {
        let (Some(variable), Some(flag)) = (arg.get_env(), arg.get_long()) else { continue };
        if is_first {
            roff.control("SH", ["ENVIRONMENT"]);
        }
        is_first = false;
        roff.control("TP", []);
        roff.text([bold(variable.to_string_lossy())]);
        roff.text([roman("The flag "), bold(format!("--{flag}")), roman(", if it is not given.")]);
    }
}

/// A section of the text after the flags, as it is laid out there.
fn section(roff: &mut Roff, text: &str, title: &str) {
    let Some((_, rest)) = text.split_once(&format!("{title}:\n")) else { return };
    let lines = rest.lines().take_while(|line| line.is_empty() || line.starts_with(' '));
    let lines: Vec<_> = lines.map(|line| line.strip_prefix("  ").unwrap_or(line)).collect();
    let end = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    roff.control("SH", [title.to_uppercase().as_str()]);
    roff.control("nf", []);
    for line in &lines[..end] {
        roff.text([roman(*line)]);
    }
    roff.control("fi", []);
}
