//! Skipped tests, counted as such.
//!
//! libtest cannot skip a test at run time: a test that returns early has passed. A test that cannot
//! run here therefore prints one line, `skipped: TEST: REASON`, and `.ci/run` subtracts those lines
//! from the tests that passed.

use std::io::{self, Write};

/// Ends the calling test as skipped, for a reason in the form of `format!`. Call it in the function
/// of the test, whose name it reports.
#[macro_export]
macro_rules! skip {
    ($($reason:tt)*) => {{
        fn here() {}
        $crate::skip::report(::std::any::type_name_of_val(&here), &::std::format!($($reason)*));
        return;
    }};
}

/// Writes the line to the stderr of the process. libtest captures the output of `eprintln!`, and
/// shows it for failed tests only.
#[doc(hidden)]
pub fn report(here: &str, reason: &str) {
    // Starts a new line, as libtest may have begun one; a single write keeps it whole.
    let line = format!("\nskipped: {}: {reason}\n", test_name(here));
    io::stderr().write_all(line.as_bytes()).expect("stderr");
}

/// The name that libtest has for a test, from the path of an item inside the test.
fn test_name(here: &str) -> &str {
    let path = here.split_once("::").map_or(here, |(_crate, path)| path);
    path.rsplit_once("::").map_or(path, |(test, _here)| test).trim_end_matches("::{{closure}}")
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::process::Command;

    use super::test_name;

    #[test]
    fn a_test_is_named_as_libtest_names_it() {
        assert_eq!(test_name("e2e::faults::disk::a_test::here"), "faults::disk::a_test");
        assert_eq!(test_name("e2e::a_test::{{closure}}::here"), "a_test");
    }

    #[test]
    fn a_skip_is_reported_although_output_is_captured() {
        const NAME: &str = "skip::tests::a_skip_is_reported_although_output_is_captured";
        const SKIP: &str = "RL_TEST_SKIPS_ITSELF";
        if env::var_os(SKIP).is_some() {
            crate::skip!("{} is set", SKIP);
        }
        let mut command = Command::new(env::current_exe().expect("the path of this program"));
        let output = command.args(["--exact", NAME]).env(SKIP, "yes").output();
        let output = output.expect("this program to run");
        let said = String::from_utf8(output.stderr).expect("text");
        assert!(output.status.success(), "{said}");
        let expected = format!("skipped: {NAME}: {SKIP} is set");
        assert!(said.lines().any(|line| line == expected), "{said}");
    }
}
