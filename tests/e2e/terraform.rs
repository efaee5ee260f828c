//! `terraform/` against the front that it starts: its settings, and its first policies.

use std::collections::BTreeSet;

use rl_tests::Front;

const FRONT: &str = include_str!("../../terraform/modules/front/main.tf");
const ROOT: &str = include_str!("../../terraform/main.tf");
const POLICIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../terraform/policies.toml");

#[test]
fn every_setting_is_one_of_the_front() {
    let help = Front::run(&["--help"]).stdout;
    let help = String::from_utf8(help).unwrap();
    let variables = help.lines().filter_map(|line| line.trim().strip_prefix("[env: "));
    let variables: BTreeSet<_> =
        variables.map(|rest| rest.split(['=', ']']).next().unwrap_or_default()).collect();
    let given = FRONT.lines().map(|line| line.trim().split(' ').next().unwrap_or_default());
    let given: BTreeSet<_> = given.filter(|word| word.starts_with("RL_")).collect();
    assert!(given.len() >= 10, "{given:?}");
    let unknown: Vec<_> = given.difference(&variables).collect();
    assert!(unknown.is_empty(), "the front has no {unknown:?}, only {variables:?}");
}

#[test]
fn the_first_policies_are_valid() {
    let output = Front::run(&["--check-config", POLICIES]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The tests of Terraform cannot see `depends_on`.
#[test]
fn every_module_waits_for_the_apis() {
    let blocks: Vec<_> = ROOT.split("\n}\n").filter(|it| it.contains("\nmodule \"")).collect();
    assert_eq!(blocks.len(), 6);
    for block in blocks {
        assert!(block.ends_with("= [google_project_service.api]"), "{block}");
    }
}
