//! `scripts/deploy`: its steps, in order, each once, over stand-ins for Google Cloud at the border of this machine.
//!
//! The script, git, curl, `scripts/smoke` and the front that is found at the end are real.

use std::fs;

use super::site::{Site, TFVARS};
use super::{ROOT, run};

#[test]
fn from_nothing_to_a_front_and_again() {
    let site = Site::new();
    let first = site.deploys(&["--yes"]);
    let order =
        ["create", "update", "init", "images={}", "rl", "front", "apply", "print-identity-token"];
    assert_eq!(first.changes(), order, "{}", first.said);
    let steps: Vec<_> = first.said.lines().filter(|line| line.starts_with("== ")).collect();
    let numbers: Vec<_> = steps.iter().map(|line| &line[..6]).collect();
    assert_eq!(numbers, ["== 1/5", "== 2/5", "== 3/5", "== 4/5", "== 5/5"]);
    for line in ["\nok       live\n", "\nok       GET /check: 429\n"] {
        assert!(first.said.contains(line), "{}", first.said);
    }
    let tag = site.git(&["rev-parse", "--short=12", "HEAD"]);
    let digest = fs::read_to_string(site.path(&format!("cloud/registry/front:{tag}"))).unwrap();
    let name = format!("europe-west1-docker.pkg.dev/my-project/rl/front@{}", digest.trim());
    assert_eq!(site.images(), format!("{{\"images\":{{\"front\":\"{name}\"}}}}"));
    assert!(!site.path("cloud/login").exists(), "it has logged out");

    let again = site.deploys(&["--yes"]);
    assert_eq!(again.changes(), ["init", "apply", "print-identity-token"], "{}", again.said);
    for line in ["state in gs://my-project-rl-state\n   exists\n", "front is already pushed\n"] {
        assert!(again.said.contains(line), "{}", again.said);
    }
    assert_eq!(site.git(&["status", "--porcelain"]), "", "what it writes is ignored");
}

#[test]
fn redis_on_a_vm_has_an_image_too() {
    let site = Site::new();
    site.deploys(&["--yes"]);
    site.write(
        "clone/terraform/terraform.tfvars",
        &format!("{TFVARS}store=\"vm\" # of ours\nlabels = {{\n  store = \"redis\"\n}}\n"),
    );
    let ran = site.deploys(&["--yes"]);
    // That of the front is there.
    assert_eq!(
        ran.changes(),
        ["init", "rl", "redis", "apply", "print-identity-token"],
        "{}",
        ran.said
    );
    let images = site.images();
    assert!(
        images.contains("\"front\":\"europe") && images.contains("\"redis\":\"europe"),
        "{images}"
    );
}

#[test]
fn after_a_failure_in_any_step_it_goes_on_there() {
    const FROM_IMAGES: &str = "init rl front apply print-identity-token";
    const FROM_APPLY: &str = "init apply print-identity-token";
    for (fails, step, rest) in [
        (
            "*buckets describe*",
            1,
            "create update init images={} rl front apply print-identity-token",
        ),
        ("*buckets create*", 1, "create update init images={} rl front apply print-identity-token"),
        ("*buckets update*", 1, "update init images={} rl front apply print-identity-token"),
        ("*terraform init*", 1, "init images={} rl front apply print-identity-token"),
        (
            "*output -no-color -raw repository",
            2,
            "init images={} rl front apply print-identity-token",
        ),
        ("*images={}", 2, "init images={} rl front apply print-identity-token"),
        ("*images list*", 3, FROM_IMAGES),
        ("images europe*", 3, FROM_IMAGES),
        ("podman login*", 3, FROM_IMAGES),
        ("podman push*", 3, FROM_IMAGES),
        ("podman logout*", 3, FROM_APPLY),
        ("*apply -auto-approve -input=false", 4, FROM_APPLY),
        ("*output -raw url", 5, FROM_APPLY),
        ("*print-identity-token", 5, FROM_APPLY),
    ] {
        let site = Site::new();
        site.write("cloud/fail", fails);
        let failed = site.refuses(&["--yes"], &format!("deploy: failed in step {step} of 5."));
        assert!(failed.said.contains("refused"), "{}", failed.said);
        assert!(fails == "podman logout*" || !site.path("cloud/login").exists(), "{fails}");
        fs::remove_file(site.path("cloud/fail")).unwrap();
        let ran = site.deploys(&["--yes"]);
        assert_eq!(ran.changes().join(" "), rest, "{fails}: {}", ran.said);
    }
}

#[test]
fn a_state_that_cannot_be_read_is_not_taken_for_an_empty_one() {
    let site = Site::new();
    site.deploys(&["--yes"]);
    site.write("cloud/fail", "*output -no-color -raw repository");
    let failed = site.refuses(&["--yes"], "deploy: failed in step 2 of 5.");
    assert_eq!(failed.changes(), ["init"], "without images it would unmake the front");
}

#[test]
fn a_front_that_is_not_well_fails_the_last_step() {
    let site = Site::new();
    site.write("cloud/url", "http://127.0.0.1:1");
    let ran = site.refuses(&["--yes"], "deploy: failed in step 5 of 5.");
    assert!(ran.said.contains("FAILED   live: "), "{}", ran.said);
}

#[test]
fn a_plan_changes_nothing() {
    let site = Site::new();
    let before = site.everything();
    let ran = site.deploys(&["--plan"]);
    assert!(
        ran.said.contains("would be created") && ran.said.contains("Plan: with {}"),
        "{}",
        ran.said
    );
    assert_eq!(site.everything(), before);

    site.write("cloud/fail", "*images={}");
    site.refuses(&["--yes"], "step 2 of 5");
    fs::remove_file(site.path("cloud/fail")).unwrap();
    let before = site.everything();
    let ran = site.deploys(&["--plan"]);
    assert!(
        ran.said.contains("Plan: with {}") && ran.said.contains("would be built"),
        "{}",
        ran.said
    );
    assert_eq!(site.everything(), before);

    site.deploys(&["--yes"]);
    let now = site.images();
    let tag = site.commit("second");
    let before = site.everything();
    let ran = site.deploys(&["--plan"]);
    let (_, images) = now.split_once(':').unwrap();
    let text = format!("Plan: with {}", images.trim_end_matches('}'));
    assert!(
        ran.said.contains(&text) && ran.said.contains(&format!("images of commit {tag}")),
        "{}",
        ran.said
    );
    assert_eq!(ran.changes(), ["init"]);
    let ran = site.deploys(&["--plan", "--commit", "HEAD~1"]);
    assert!(
        ran.said.contains("front is already pushed") && ran.said.contains(&text),
        "{}",
        ran.said
    );
    assert_eq!(site.everything(), before);
}

#[test]
fn an_earlier_commit_comes_back_without_a_build() {
    let site = Site::new();
    site.deploys(&["--yes"]);
    let first = site.images();
    let never = site.commit("second");
    site.commit("third");
    site.deploys(&["--yes"]);
    assert_ne!(site.images(), first);
    site.write("clone/text", "not committed, and not in the way");
    let ran = site.deploys(&["--yes", "--commit", "HEAD~2"]);
    assert_eq!(ran.changes(), ["init", "apply", "print-identity-token"], "{}", ran.said);
    assert_eq!(site.images(), first);
    let ran = site.refuses(
        &["--yes", "--commit", &never],
        &format!("no image front of commit {never} was pushed"),
    );
    assert!(ran.said.contains("Available images:\nfront:"), "{}", ran.said);
    site.refuses(&["--commit", "0123456"], "there is no commit 0123456");
    assert_eq!(site.images(), first);
}

#[test]
fn a_front_inside_its_vpc_is_left_to_who_is_there() {
    let site = Site::new();
    site.write("cloud/internal", "");
    let ran = site.deploys(&["--yes"]);
    let url = format!("http://{}", site.front.address());
    assert!(
        ran.said.contains(&format!("{url} can be reached from inside its VPC only")),
        "{}",
        ran.said
    );
    assert!(
        ran.said.ends_with(&format!("scripts/smoke {url} # from a machine in the VPC\n")),
        "{}",
        ran.said
    );
}

#[test]
fn terraform_asks_unless_told_not_to() {
    let site = Site::new();
    let ask = |answers: &str| {
        let command = format!("printf '{answers}' | scripts/deploy");
        run(site.command("bash").args(["-c", &command]))
    };
    let (code, said) = ask("no\\n");
    assert!(code == 1 && said.contains("failed in step 2 of 5"), "{said}");
    assert!(!site.path("cloud/registry").exists());
    let (code, said) = ask("yes\\nyes\\n");
    assert_eq!(code, 0, "{said}");
}

#[test]
fn what_is_missing_is_told_before_anything_is_done() {
    let site = Site::new();
    let refused = |text: &str| {
        let ran = site.refuses(&["--yes"], text);
        assert_eq!(ran.changes(), Vec::<&str>::new(), "{}", ran.said);
        assert!(!ran.said.contains("failed in step"), "{}", ran.said);
    };
    let without = |name: &str, text: &str| {
        let (path, away) = (site.path("bin").join(name), site.path("away"));
        fs::rename(&path, &away).unwrap();
        refused(text);
        fs::rename(&away, &path).unwrap();
    };
    for name in ["gcloud", "terraform", "git", "curl"] {
        without(name, &format!("deploy: {name} is missing: "));
    }
    fs::remove_file(site.path("bin/docker")).unwrap();
    without("podman", "deploy: docker, podman or buildah is needed");

    for (fails, text) in [
        ("gcloud auth print-access-token*", "gcloud is not logged in: gcloud auth login"),
        (
            "gcloud auth application-default*",
            "terraform is not logged in: gcloud auth application-default login",
        ),
    ] {
        site.write("cloud/fail", fails);
        refused(text);
    }
    fs::remove_file(site.path("cloud/fail")).unwrap();

    for text in ["", "# project_id = \"my-project\"\n", "project_id = \"My Project\"\n"] {
        site.write("clone/terraform/terraform.tfvars", text);
        refused("terraform/terraform.tfvars has no line such as: project_id = \"my-project\"");
    }
    fs::remove_file(site.path("clone/terraform/terraform.tfvars")).unwrap();
    refused(
        "terraform/terraform.tfvars is missing. It says what to deploy, for example:\n\n  project_id = ",
    );
    let ran = site.deploy(&["--plam"]);
    assert_eq!((ran.code, ran.said.contains("scripts/deploy [--plan]")), (2, true), "{}", ran.said);
}

#[test]
fn images_are_of_commits() {
    let site = Site::new();
    site.write("clone/new", "");
    let ran = site.refuses(&["--yes"], "there are uncommitted changes");
    // Before the quarter of an hour in which all else is made.
    assert_eq!(ran.changes(), ["create", "update", "init"], "{}", ran.said);
    fs::remove_file(site.path("clone/new")).unwrap();
    // It is in no image, and often changed.
    site.write("clone/terraform/policies.toml", "[policies.default]\ncapacity = 1\nrate = 1\n");
    site.deploys(&["--yes"]);
}

#[test]
fn somebody_elses_bucket_is_not_taken() {
    let site = Site::new();
    site.write("cloud/fail", "*buckets describe*");
    let ran = site.refuses(&["--yes"], "refused");
    assert_eq!(ran.changes(), Vec::<&str>::new());
}

#[test]
fn terraform_has_the_names_that_it_uses() {
    let read = |name: &str| fs::read_to_string(format!("{ROOT}/terraform/{name}")).unwrap();
    let (variables, outputs) = (read("variables.tf"), read("outputs.tf"));
    for name in ["images", "name", "policies_file", "project_id", "region", "store"] {
        assert!(variables.contains(&format!("variable \"{name}\" {{")), "{name}");
    }
    for name in ["next", "repository", "url"] {
        assert!(outputs.contains(&format!("output \"{name}\" {{")), "{name}");
    }
    assert!(outputs.contains(" # from a machine in the VPC\""));
    assert!(read("versions.tf").contains("backend \"gcs\" {}"));
}
