//! A clone to deploy from, and the stand-ins for Google Cloud (`cloud/`).

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rl_tests::Front;
use tempfile::TempDir;

use super::{ROOT, program, run};

/// Programs that every machine has.
const TOOLS: [&str; 26] = [
    "awk",
    "bash",
    "cat",
    "chmod",
    "cp",
    "curl",
    "cut",
    "dirname",
    "env",
    "git",
    "grep",
    "head",
    "ls",
    "mkdir",
    "mktemp",
    "mv",
    "od",
    "realpath",
    "rm",
    "sed",
    "sha256sum",
    "sleep",
    "sort",
    "tail",
    "touch",
    "tr",
];
const STAND_INS: [&str; 4] = ["docker", "gcloud", "podman", "terraform"];
pub(super) const TFVARS: &str = "project_id = \"my-project\"\n";

/// A clone to deploy from, the programs on its path, and an empty cloud.
pub(super) struct Site {
    folder: TempDir,
    pub(super) front: Front,
}

/// A run of the script: its exit code, its output, and its calls of the stand-ins.
pub(super) struct Deployment {
    pub(super) code: i32,
    pub(super) output: String,
    pub(super) calls: Vec<String>,
}

// === impl Site ===

impl Site {
    pub(super) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let front = Front::start(&["--admin-listen", "127.0.0.1:0"]);
        let site = Self { folder, front };
        for name in ["bin", "cloud", "home", "tmp", "clone/scripts"] {
            fs::create_dir_all(site.path(name)).unwrap();
        }
        for name in TOOLS {
            symlink(program(name), site.path("bin").join(name)).unwrap();
        }
        let stand_ins = PathBuf::from(ROOT).join("tests/e2e/scripts/cloud");
        for name in STAND_INS {
            symlink(stand_ins.join(name), site.path("bin").join(name)).unwrap();
        }
        fs::write(site.path("cloud/url"), format!("http://{}", site.front.address())).unwrap();
        for name in ["deploy", "smoke"] {
            fs::copy(
                PathBuf::from(ROOT).join("scripts").join(name),
                site.path("clone/scripts").join(name),
            )
            .unwrap();
        }
        fs::copy(stand_ins.join("images"), site.path("clone/scripts/images")).unwrap();
        fs::copy(PathBuf::from(ROOT).join(".gitignore"), site.path("clone/.gitignore")).unwrap();
        fs::create_dir(site.path("clone/terraform")).unwrap();
        for name in ["main.tf", "outputs.tf", "variables.tf", "versions.tf", "policies.toml"] {
            let from = PathBuf::from(ROOT).join("terraform").join(name);
            fs::copy(from, site.path("clone/terraform").join(name)).unwrap();
        }
        site.git(&["init", "--quiet"]);
        site.commit("first");
        site.write("clone/terraform/terraform.tfvars", TFVARS);
        site
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.path("bin").join(program));
        command.current_dir(self.path("clone")).stdin(Stdio::null()).env_clear();
        command.env("PATH", self.path("bin")).env("HOME", self.path("home"));
        command.env("TMPDIR", self.path("tmp")).env("CLOUD", self.path("cloud"));
        command
    }

    pub(super) fn git(&self, arguments: &[&str]) -> String {
        let mut command = self.command("git");
        command.args(["-c", "user.name=t", "-c", "user.email=t@example.com"]).args(arguments);
        let (code, output) = run(&mut command);
        assert_eq!(code, 0, "{output}");
        output.trim().to_owned()
    }

    /// Commits a change. Returns the tag of its images.
    pub(super) fn commit(&self, text: &str) -> String {
        self.write("clone/text", text);
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "-m", text]);
        self.git(&["rev-parse", "--short=12", "HEAD"])
    }

    pub(super) fn deploy(&self, arguments: &[&str]) -> Deployment {
        let _ = fs::remove_file(self.path("cloud/calls"));
        let (code, output) = run(self.command("bash").arg("scripts/deploy").args(arguments));
        assert!(!output.contains("-secret"), "a secret is printed: {output}");
        assert_eq!(fs::read_dir(self.path("tmp")).unwrap().count(), 0, "{output}");
        let calls = fs::read_to_string(self.path("cloud/calls")).unwrap_or_default();
        assert!(!calls.contains("-secret"), "a secret is an argument: {calls}");
        Deployment { code, output, calls: calls.lines().map(str::to_owned).collect() }
    }

    #[track_caller]
    pub(super) fn deploys(&self, arguments: &[&str]) -> Deployment {
        let deployment = self.deploy(arguments);
        assert_eq!(deployment.code, 0, "{}", deployment.output);
        deployment
    }

    /// Deploys, which must fail with this text.
    #[track_caller]
    pub(super) fn fails(&self, arguments: &[&str], text: &str) -> Deployment {
        let deployment = self.deploy(arguments);
        assert!(
            deployment.code == 1 && deployment.output.contains(text),
            "{text}: {}",
            deployment.output
        );
        deployment
    }

    /// The images that terraform is given.
    pub(super) fn images(&self) -> String {
        let file = self.path("clone/terraform/images.auto.tfvars.json");
        fs::read_to_string(file).unwrap_or_default().trim().to_owned()
    }

    /// Every file and folder of the cloud and of the clone, without the records of the stand-ins.
    pub(super) fn everything(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut all = BTreeMap::new();
        let mut folders = vec![self.path("cloud"), self.path("clone")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    all.insert(path.clone(), Vec::new());
                    folders.push(path);
                } else if !["calls", "backend", "index"].iter().any(|name| path.ends_with(name)) {
                    all.insert(path.clone(), fs::read(path).unwrap());
                }
            }
        }
        all
    }
}

// === impl Deployment ===

impl Deployment {
    /// Its changes of the cloud, in order, each by the last word of the call.
    pub(super) fn changes(&self) -> Vec<&str> {
        let changes = [
            "gcloud storage buckets create",
            "gcloud storage buckets update",
            "terraform -chdir=terraform init",
            "terraform -chdir=terraform apply -auto-approve -input=false -var images={}",
            "terraform -chdir=terraform apply",
            "images europe-west1-docker.pkg.dev/my-project/rl",
            "podman push europe-west1-docker.pkg.dev/my-project/rl/front",
            "podman push europe-west1-docker.pkg.dev/my-project/rl/redis",
            "gcloud auth print-identity-token",
        ];
        let found =
            self.calls.iter().filter_map(|call| changes.iter().find(|it| call.starts_with(*it)));
        found.map(|it| it.rsplit([' ', '/']).next().unwrap()).collect()
    }
}
