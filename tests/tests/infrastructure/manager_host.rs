//! The start script of the manager host, run in a sandbox whose programs are stubs: what it installs and registers, who
//! sees the token, and what a second run does.
//!
//! The driver is the real one. The stubs (`manager_stub.sh`) know what apt-get, snap, systemctl, aws and gitlab-runner
//! are asked for; whether those do it on Ubuntu, only a host on AWS shows.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use fargate_tests::{files_below, have, runner, skip, write_program};
use regex::Regex;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::root;

/// The token of the runner.
const TOKEN: &str = "glrt-canary-0123456789";
/// What stands for the Debian package.
const PACKAGE: &str = "the package\n";
/// What the parameter of the stack holds.
const OUTPUTS: &str = r#"{"OutputsVersion": "1", "Region": "eu-west-1", "ClusterName": "ci",
    "PrivateSubnetIds": "subnet-0a1b2c3d4e5f60718", "TaskSecurityGroupId": "sg-0c3d4e5f60718293b",
    "TaskDefinitionFamily": "fargate-runner-ci", "JobImage": "team/ci:1", "RegistrySecretArn": "",
    "ExecutionRoleArn": "arn:aws:iam::123456789012:role/e", "TaskRoleArn": "arn:aws:iam::123456789012:role/t"}"#;
/// The programs that are there from the start. aws, gitlab-runner and the driver are there once they are installed.
const BASE_PROGRAMS: [&str; 14] = [
    "apt-get",
    "cat",
    "chmod",
    "curl",
    "gpg",
    "grep",
    "install",
    "mkdir",
    "mktemp",
    "rm",
    "sha256sum",
    "sleep",
    "snap",
    "systemctl",
];

/// What the script calls on a new host, in this order. `WORK` is its own folder.
const FIRST_CALLS: &str = r"
mktemp -d
mkdir -p /etc/systemd/journald.conf.d
systemctl restart systemd-journald
systemctl disable --now ssh.socket ssh.service
apt-get update -qq
apt-get install -y -qq --no-install-recommends ca-certificates curl git gnupg
snap install aws-cli --classic
aws s3 cp --region eu-west-1 --only-show-errors s3://packages/ci/fargate-runner.deb WORK/fargate-runner.deb
sleep 2
aws s3 cp --region eu-west-1 --only-show-errors s3://packages/ci/fargate-runner.deb WORK/fargate-runner.deb
sha256sum --check --quiet
chmod 755 WORK
apt-get install -y -qq WORK/fargate-runner.deb
aws ssm get-parameter --region eu-west-1 --name /ci/outputs --query Parameter.Value --output text
fargate-runner config import-stack --outputs WORK/outputs.json
fargate-runner config check
curl -fsSL --max-time 60 -o WORK/gitlab.key https://packages.gitlab.com/runner/gitlab-runner/gpgkey
gpg --dearmor --yes -o /usr/share/keyrings/gitlab-runner.gpg WORK/gitlab.key
apt-get update -qq
apt-get install -y -qq --no-install-recommends gitlab-runner
grep -q ^\[\[runners\]\] /etc/gitlab-runner/config.toml
install -d -m 700 /etc/gitlab-runner
cat
aws ssm get-parameter --region eu-west-1 --name /ci/runner-token --with-decryption --query Parameter.Value --output text
gitlab-runner register --non-interactive --url https://gitlab.example.com --executor custom --template-config WORK/runner.toml
systemctl daemon-reload
systemctl enable --now fargate-runner.service fargate-runner-reap.timer
systemctl restart gitlab-runner
rm -rf WORK
";

/// A new host: its folders, and what its programs find.
struct NewHost {
    folder: TempDir,
    token_parameter: &'static str,
    package_sha256: String,
}

/// How a run of the script ended.
struct BootstrapRun {
    passed: bool,
    said: String,
    /// The programs that it called, with their arguments.
    calls: Vec<String>,
}

impl NewHost {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let host = Self {
            folder,
            token_parameter: "/ci/runner-token",
            package_sha256: hex::encode(Sha256::digest(PACKAGE)),
        };
        let folders = ["etc/apt/sources.list.d", "snap/bin", "tmp", "played/bin"];
        for folder in folders {
            fs::create_dir_all(host.path(folder)).expect("a folder");
        }
        for (file, text) in [
            ("etc/os-release", "NAME=Ubuntu\nVERSION_CODENAME=noble\n"),
            ("played/package", PACKAGE),
            ("played/outputs.json", OUTPUTS),
            ("played/token", TOKEN),
        ] {
            fs::write(host.path(file), text).expect("a writable folder");
        }
        write_program(&host.path("played/stub"), include_str!("manager_stub.sh"));
        for program in BASE_PROGRAMS {
            symlink("/played/stub", host.path("played/bin").join(program)).expect("a link");
        }
        host
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    /// What the launch template gives to a new host: the variables, and then the script.
    fn user_data(&self) -> String {
        let script = root().join("infrastructure/manager/bootstrap.sh");
        let script = fs::read_to_string(script).expect("the script");
        let (token, sum) = (self.token_parameter, self.package_sha256.as_str());
        let variables = [
            ("REGION", "eu-west-1"),
            ("OUTPUTS_PARAMETER", "/ci/outputs"),
            ("PACKAGE_BUCKET", "packages"),
            ("PACKAGE_KEY", "ci/fargate-runner.deb"),
            ("PACKAGE_SHA256", sum),
            ("GITLAB_URL", "https://gitlab.example.com"),
            ("RUNNER_TOKEN_PARAMETER", token),
            ("CONCURRENT", "7"),
        ];
        let lines = variables.map(|(name, value)| format!("{name}=\"{value}\"\n"));
        format!("#!/bin/sh\n{}{script}", lines.concat())
    }

    /// Runs the script; `None` after saying why this machine cannot.
    fn start(&self) -> Option<BootstrapRun> {
        if !have("bwrap") {
            return None;
        }
        fs::write(self.path("played/user-data"), self.user_data()).expect("a writable folder");
        fs::write(self.path("played/calls"), "").expect("a writable folder");
        let mut command = Command::new("bwrap");
        command.arg("--die-with-parent");
        for folder in ["/usr", "/bin", "/lib", "/lib64"] {
            command.args(["--ro-bind-try", folder, folder]);
        }
        command.args(["--dev", "/dev"]).arg("--ro-bind").arg(runner()).arg("/driver");
        for folder in ["etc", "snap", "tmp", "played"] {
            command.arg("--bind").arg(self.path(folder)).arg(format!("/{folder}"));
        }
        command.args(["--clearenv", "--setenv", "PATH", "/played/bin", "--"]);
        let played = command.args(["/bin/sh", "/played/user-data"]).output().expect("bwrap");
        let said = String::from_utf8_lossy(&[played.stdout, played.stderr].concat()).into_owned();
        if said.contains("bwrap:") && said.contains("namespace") {
            skip(&format!("this machine has no namespaces: {said}"));
            return None;
        }
        let calls = fs::read_to_string(self.path("played/calls")).expect("the calls");
        let work = Regex::new(r"/tmp/tmp\.\w+").expect("a regular expression");
        let calls = work.replace_all(&calls, "WORK").into_owned();
        let calls = calls.lines().map(|line| line.trim_end().to_owned()).collect();
        let run = BootstrapRun { passed: played.status.success(), said, calls };
        assert_eq!(fs::read_dir(self.path("tmp")).expect("a folder").count(), 0, "{}", run.said);
        run.shows_no_token();
        Some(run)
    }

    /// Every file in /etc, with its mode and its text.
    fn settings(&self) -> BTreeMap<String, (u32, String)> {
        let etc = self.path("etc");
        let entry = |path: PathBuf| {
            let name = path.strip_prefix(&etc).expect("below it").display().to_string();
            let mode = fs::metadata(&path).expect("a file").permissions().mode() & 0o777;
            (name, (mode, fs::read_to_string(&path).expect("a text")))
        };
        files_below(&etc).into_iter().map(entry).collect()
    }
}

impl BootstrapRun {
    /// The token is in no argument of a program, and in no log.
    fn shows_no_token(&self) {
        assert!(!self.said.contains(TOKEN), "{}", self.said);
        let shown = self.calls.iter().find(|call| call.contains(TOKEN));
        assert_eq!(shown, None);
    }

    fn called(&self, start: &str) -> usize {
        self.calls.iter().filter(|call| call.starts_with(start)).count()
    }
}

/// Whether a host has a runner.
fn is_registered(host: &NewHost) -> bool {
    let path = host.path("etc/gitlab-runner/config.toml");
    fs::read_to_string(path).is_ok_and(|text| text.contains("[[runners]]"))
}

#[test]
fn the_script_makes_a_new_host_a_manager_host_and_a_second_run_changes_nothing() {
    let host = NewHost::new();
    let Some(run) = host.start() else { return };
    assert!(run.passed, "{}", run.said);
    assert!(run.said.contains("\nbootstrap: this is a manager host now\n"), "{}", run.said);
    assert_eq!(run.calls.join("\n"), FIRST_CALLS.trim());
    let settings = host.settings();
    let text = |file: &str| settings.get(file).unwrap_or_else(|| panic!("no {file}")).1.as_str();
    assert_eq!(
        text("systemd/journald.conf.d/fargate-runner.conf"),
        "[Journal]\nStorage=persistent\nSystemMaxUse=1G\n"
    );
    let source = text("apt/sources.list.d/gitlab-runner.list");
    assert!(source.ends_with("/gitlab-runner/ubuntu/ noble main\n"), "{source}");
    assert!(source.contains("[signed-by=/usr/share/keyrings/gitlab-runner.gpg]"), "{source}");
    assert!(text("fargate-runner/config.toml").contains("cluster = \"ci\""));
    assert_registration(&host);
    // The token is in this one file.
    let with_token: Vec<_> = settings
        .iter()
        .filter(|(_, (_, text))| text.contains(TOKEN))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(with_token, ["gitlab-runner/config.toml"]);

    let again = host.start().expect("it ran before");
    assert!(again.passed, "{}", again.said);
    assert_eq!(host.settings(), settings);
    for call in [
        "gitlab-runner",
        "aws ssm",
        "snap",
        "curl",
        "gpg",
        "install",
        "fargate-runner config import",
    ] {
        assert_eq!(again.called(call), 0, "{call}: {:#?}", again.calls);
    }
    assert_eq!(again.called("fargate-runner config check"), 1);
}

/// The runner in gitlab-runner's own file: who may read it, and that each stage is the driver's.
fn assert_registration(host: &NewHost) {
    let path = host.path("etc/gitlab-runner/config.toml");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(&path), mode(path.parent().expect("a folder"))), (0o600, 0o700));
    let text = fs::read_to_string(path).expect("the file");
    let settings: toml::Table = text.parse().expect("TOML");
    assert_eq!(settings["concurrent"].as_integer(), Some(7));
    let runners = settings["runners"].as_array().expect("runners");
    assert_eq!(runners.len(), 1);
    assert_eq!(runners[0]["token"].as_str(), Some(TOKEN));
    assert_eq!(runners[0]["executor"].as_str(), Some("custom"));
    let custom = &runners[0]["custom"];
    for stage in ["config", "prepare", "run", "cleanup"] {
        let program = custom[format!("{stage}_exec").as_str()].as_str();
        assert_eq!(program, Some("/usr/bin/fargate-runner"), "{stage}");
        let arguments = custom[format!("{stage}_args").as_str()].as_array().expect("a list");
        let arguments: Vec<_> = arguments.iter().filter_map(toml::Value::as_str).collect();
        assert_eq!(arguments, ["custom", stage]);
    }
}

#[test]
fn a_package_with_another_sum_is_not_installed() {
    let mut host = NewHost::new();
    host.package_sha256 = hex::encode(Sha256::digest("another package"));
    let Some(run) = host.start() else { return };
    assert!(!run.passed, "{}", run.said);
    assert_eq!(run.called("apt-get install -y -qq WORK"), 0, "{:#?}", run.calls);
    assert_eq!(run.called("fargate-runner"), 0, "{:#?}", run.calls);
    assert!(!is_registered(&host));
}

#[test]
fn without_a_parameter_for_the_token_no_runner_is_registered_and_all_else_is_done() {
    let mut host = NewHost::new();
    host.token_parameter = "";
    let Some(run) = host.start() else { return };
    assert!(run.passed, "{}", run.said);
    assert_eq!(run.called("gitlab-runner"), 0, "{:#?}", run.calls);
    assert_eq!(run.called("systemctl enable --now fargate-runner.service"), 1);
    assert!(!is_registered(&host));
}

#[test]
fn a_run_that_could_not_register_is_completed_by_the_next_one() {
    let host = NewHost::new();
    fs::write(host.path("played/gitlab-is-down"), "").expect("a writable folder");
    let Some(run) = host.start() else { return };
    assert!(!run.passed, "{}", run.said);
    assert_eq!(run.called("gitlab-runner register"), 6, "{:#?}", run.calls);
    assert!(run.said.contains("bootstrap: gave up after 6 tries: gitlab-runner"), "{}", run.said);
    assert!(!is_registered(&host));
    fs::remove_file(host.path("played/gitlab-is-down")).expect("it was there");
    // What somebody wrote meanwhile stays.
    let config = host.path("etc/fargate-runner/config.toml");
    let text = fs::read_to_string(&config).expect("a configuration");
    fs::write(&config, format!("# mine\n{text}")).expect("a writable folder");
    let next = host.start().expect("it ran before");
    assert!(next.passed, "{}", next.said);
    assert_registration(&host);
    assert!(fs::read_to_string(&config).expect("a configuration").starts_with("# mine\n"));
}
