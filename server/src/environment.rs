//! Flags that come from environment variables: an empty variable counts as unset, and an error
//! about a value names the variable that it came from.

use std::{env, ffi::OsString};

use clap::{
    ArgMatches, Command,
    error::{ContextKind, ContextValue, Error},
    parser::ValueSource,
};

/// A flag, such as `--listen`, and the variable that gave its value.
pub(crate) struct FromVariable {
    flag: String,
    variable: String,
}

/// The command without the variables that are set to nothing, and its subcommands likewise.
pub(crate) fn without_empty(command: Command) -> Command {
    let command = command.mut_args(|arg| {
        let is_empty = arg.get_env().and_then(env::var_os).is_some_and(|value| value.is_empty());
        if is_empty { arg.env(None::<&str>) } else { arg }
    });
    command.mut_subcommands(without_empty)
}

/// The flags of `command` whose values are from variables.
pub(crate) fn variables(command: &Command, matches: &ArgMatches) -> Vec<FromVariable> {
    let flags = command.get_arguments().filter(|arg| {
        matches.value_source(arg.get_id().as_str()) == Some(ValueSource::EnvVariable)
    });
    let from = flags.filter_map(|arg| {
        let variable = arg.get_env()?.to_string_lossy().into_owned();
        Some(FromVariable { flag: format!("--{}", arg.get_long()?), variable })
    });
    from.collect()
}

/// The text with the variable beside each flag that one gave.
pub(crate) fn name(text: &str, from: &[FromVariable]) -> String {
    let words = text.split(' ').map(|word| {
        let given = from.iter().find(|given| given.flag == word);
        given.map_or_else(|| word.to_owned(), |it| format!("{word} ({})", it.variable))
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The error about one value, with the variable that gave it.
pub(crate) fn name_in(mut error: Error, command: &Command, args: &[OsString]) -> Error {
    let Some(ContextValue::String(shown)) = error.get(ContextKind::InvalidArg) else {
        return error;
    };
    let flag = shown.split([' ', '=']).next().unwrap_or_default().to_owned();
    let is_given = args.iter().filter_map(|arg| arg.to_str()).any(|arg| {
        arg.strip_prefix(&*flag).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    });
    // Flags of the subcommand that was called, and the front's own: their variables count there too.
    let called = args.iter().filter_map(|arg| command.find_subcommand(arg.to_str()?));
    let mut variables = called
        .chain([command])
        .flat_map(Command::get_arguments)
        .filter(|arg| arg.get_long() == flag.strip_prefix("--"))
        .filter_map(|arg| arg.get_env().filter(|name| env::var_os(name).is_some()));
    if let Some(variable) = variables.next().filter(|_| !is_given) {
        let named = format!("{shown} ({})", variable.to_string_lossy());
        error.insert(ContextKind::InvalidArg, ContextValue::String(named));
    }
    error
}

#[cfg(test)]
mod tests {
    use super::{FromVariable, name};

    #[test]
    fn a_flag_that_a_variable_gave_is_named_with_it() {
        let from = |flag: &str, variable: &str| FromVariable {
            flag: flag.to_owned(),
            variable: variable.to_owned(),
        };
        let from = [from("--config", "RL_CONFIG"), from("--store", "RL_STORE")];
        for (text, expected) in [
            ("--store must be memory", "--store (RL_STORE) must be memory"),
            (
                "--capacity and --rate cannot be used with --config",
                "--capacity and --rate cannot be used with --config (RL_CONFIG)",
            ),
            ("PORT must be a port number", "PORT must be a port number"),
        ] {
            assert_eq!(name(text, &from), expected);
        }
    }
}
