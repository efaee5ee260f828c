//! `scripts/deploy`: its steps, in order and each once, with stand-ins for the programs that reach
//! Google Cloud.
//!
//! The script, git, curl, `scripts/smoke` and the front at the end are real.

use std::fs;

use super::site::{Site, TFVARS};
use super::{ROOT, run};

#[test]
fn from_nothing_to_a_front_and_again() {
    let site = Site::new();
    let first = site.deploys(&["--yes"]);
    let order =
        ["create", "update", "init", "images={}", "rl", "front", "apply", "print-identity-token"];
    assert_eq!(first.changes(), order, "{}", first.output);
    let steps: Vec<_> = first.output.lines().filter(|line| line.starts_with("== ")).collect();
    let numbers: Vec<_> = steps.iter().map(|line| &line[..6]).collect();
    assert_eq!(numbers, ["== 1/5", "== 2/5", "== 3/5", "== 4/5", "== 5/5"]);
    for line in ["\nok       live\n", "\nok       GET /check: 429\n"] {
        assert!(first.output.contains(line), "{}", first.output);
    }
    let tag = site.git(&["rev-parse", "--short=12", "HEAD"]);
    let digest = fs::read_to_string(site.path(&format!("cloud/registry/front:{tag}"))).unwrap();
    let name = format!("europe-west1-docker.pkg.dev/my-project/rl/front@{}", digest.trim());
    assert_eq!(site.images(), format!("{{\"images\":{{\"front\":\"{name}\"}}}}"));
    assert!(!site.path("cloud/login").exists(), "the login outlives the script");

    let again = site.deploys(&["--yes"]);
    assert_eq!(again.changes(), ["init", "apply", "print-identity-token"], "{}", again.output);
    for line in ["state in gs://my-project-rl-state\n   exists\n", "front is already pushed\n"] {
        assert!(again.output.contains(line), "{}", again.output);
    }
    assert_eq!(site.git(&["status", "--porcelain"]), "", "files that it writes are ignored");
}

#[test]
fn redis_on_a_vm_has_an_image_too() {
    let site = Site::new();
    site.deploys(&["--yes"]);
    site.write(
        "clone/terraform/terraform.tfvars",
        &format!("{TFVARS}store=\"vm\" # of ours\nlabels = {{\n  store = \"redis\"\n}}\n"),
    );
    let deployment = site.deploys(&["--yes"]);
    // The image of the front exists.
    assert_eq!(
        deployment.changes(),
        ["init", "rl", "redis", "apply", "print-identity-token"],
        "{}",
        deployment.output
    );
    let images = site.images();
    assert!(
        images.contains("\"front\":\"europe") && images.contains("\"redis\":\"europe"),
        "{images}"
    );
}

#[test]
fn after_a_failure_in_any_step_it_resumes_there() {
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
        let failed = site.fails(&["--yes"], &format!("deploy: failed in step {step} of 5."));
        assert!(failed.output.contains("refused"), "{}", failed.output);
        assert!(fails == "podman logout*" || !site.path("cloud/login").exists(), "{fails}");
        fs::remove_file(site.path("cloud/fail")).unwrap();
        let deployment = site.deploys(&["--yes"]);
        assert_eq!(deployment.changes().join(" "), rest, "{fails}: {}", deployment.output);
    }
}

#[test]
fn a_state_that_cannot_be_read_is_not_taken_for_an_empty_one() {
    let site = Site::new();
    site.deploys(&["--yes"]);
    site.write("cloud/fail", "*output -no-color -raw repository");
    let failed = site.fails(&["--yes"], "deploy: failed in step 2 of 5.");
    assert_eq!(failed.changes(), ["init"], "an apply without images would delete the front");
}

#[test]
fn a_front_that_does_not_answer_fails_the_last_step() {
    let site = Site::new();
    site.write("cloud/url", "http://127.0.0.1:1");
    let deployment = site.fails(&["--yes"], "deploy: failed in step 5 of 5.");
    assert!(deployment.output.contains("FAILED   live: "), "{}", deployment.output);
}

#[test]
fn a_plan_changes_nothing() {
    let site = Site::new();
    let before = site.everything();
    let deployment = site.deploys(&["--plan"]);
    assert!(
        deployment.output.contains("would be created")
            && deployment.output.contains("Plan: with {}"),
        "{}",
        deployment.output
    );
    assert_eq!(site.everything(), before);

    site.write("cloud/fail", "*images={}");
    site.fails(&["--yes"], "step 2 of 5");
    fs::remove_file(site.path("cloud/fail")).unwrap();
    let before = site.everything();
    let deployment = site.deploys(&["--plan"]);
    assert!(
        deployment.output.contains("Plan: with {}") && deployment.output.contains("would be built"),
        "{}",
        deployment.output
    );
    assert_eq!(site.everything(), before);

    site.deploys(&["--yes"]);
    let now = site.images();
    let tag = site.commit("second");
    let before = site.everything();
    let deployment = site.deploys(&["--plan"]);
    let (_, images) = now.split_once(':').unwrap();
    let text = format!("Plan: with {}", images.trim_end_matches('}'));
    assert!(
        deployment.output.contains(&text)
            && deployment.output.contains(&format!("images of commit {tag}")),
        "{}",
        deployment.output
    );
    assert_eq!(deployment.changes(), ["init"]);
    let deployment = site.deploys(&["--plan", "--commit", "HEAD~1"]);
    assert!(
        deployment.output.contains("front is already pushed") && deployment.output.contains(&text),
        "{}",
        deployment.output
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
    site.write("clone/text", "not committed");
    let deployment = site.deploys(&["--yes", "--commit", "HEAD~2"]);
    assert_eq!(
        deployment.changes(),
        ["init", "apply", "print-identity-token"],
        "{}",
        deployment.output
    );
    assert_eq!(site.images(), first);
    let deployment = site.fails(
        &["--yes", "--commit", &never],
        &format!("no image front of commit {never} was pushed"),
    );
    assert!(deployment.output.contains("Available images:\nfront:"), "{}", deployment.output);
    site.fails(&["--commit", "0123456"], "there is no commit 0123456");
    assert_eq!(site.images(), first);
}

#[test]
fn a_front_inside_its_vpc_is_checked_from_there() {
    let site = Site::new();
    site.write("cloud/internal", "");
    let deployment = site.deploys(&["--yes"]);
    let url = format!("http://{}", site.front.address());
    assert!(
        deployment.output.contains(&format!("{url} can be reached from inside its VPC only")),
        "{}",
        deployment.output
    );
    assert!(
        deployment.output.ends_with(&format!("scripts/smoke {url} # from a machine in the VPC\n")),
        "{}",
        deployment.output
    );
}

#[test]
fn terraform_asks_unless_told_not_to() {
    let site = Site::new();
    let answer = |answers: &str| {
        let command = format!("printf '{answers}' | scripts/deploy");
        run(site.command("bash").args(["-c", &command]))
    };
    let (code, output) = answer("no\\n");
    assert!(code == 1 && output.contains("failed in step 2 of 5"), "{output}");
    assert!(!site.path("cloud/registry").exists());
    let (code, output) = answer("yes\\nyes\\n");
    assert_eq!(code, 0, "{output}");
}

#[test]
fn missing_programs_and_settings_are_reported_before_the_first_change() {
    let site = Site::new();
    let is_refused = |text: &str| {
        let deployment = site.fails(&["--yes"], text);
        assert_eq!(deployment.changes(), Vec::<&str>::new(), "{}", deployment.output);
        assert!(!deployment.output.contains("failed in step"), "{}", deployment.output);
    };
    let without = |name: &str, text: &str| {
        let (path, away) = (site.path("bin").join(name), site.path("away"));
        fs::rename(&path, &away).unwrap();
        is_refused(text);
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
        is_refused(text);
    }
    fs::remove_file(site.path("cloud/fail")).unwrap();

    for text in ["", "# project_id = \"my-project\"\n", "project_id = \"My Project\"\n"] {
        site.write("clone/terraform/terraform.tfvars", text);
        is_refused("terraform/terraform.tfvars has no line such as: project_id = \"my-project\"");
    }
    fs::remove_file(site.path("clone/terraform/terraform.tfvars")).unwrap();
    is_refused(
        "terraform/terraform.tfvars is missing. It says what to deploy, for example:\n\n  \
         project_id = ",
    );
    let deployment = site.deploy(&["--plam"]);
    assert_eq!(
        (deployment.code, deployment.output.contains("scripts/deploy [--plan]")),
        (2, true),
        "{}",
        deployment.output
    );
}

#[test]
fn images_are_built_from_commits() {
    let site = Site::new();
    site.write("clone/new", "");
    let deployment = site.fails(&["--yes"], "there are uncommitted changes");
    // Before the quarter of an hour that the rest takes.
    assert_eq!(deployment.changes(), ["create", "update", "init"], "{}", deployment.output);
    fs::remove_file(site.path("clone/new")).unwrap();
    // The policies are part of no image, and change often.
    site.write("clone/terraform/policies.toml", "[policies.default]\ncapacity = 1\nrate = 1\n");
    site.deploys(&["--yes"]);
}

#[test]
fn somebody_elses_bucket_is_not_taken() {
    let site = Site::new();
    site.write("cloud/fail", "*buckets describe*");
    let deployment = site.fails(&["--yes"], "refused");
    assert_eq!(deployment.changes(), Vec::<&str>::new());
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
