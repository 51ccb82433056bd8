//! From the template to a host that is ready: the stack is made in ministack, its outputs become a configuration, the
//! secret is filled and the volume made; then `check` passes as the manager of the stack. After each way to break the
//! stack, the check that is for it names it.
//!
//! ministack plays all services but Service Quotas, which the local cloud plays. What `tests/infrastructure/serve_stacks.py`
//! puts right of it stands there.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Stdio;

use fargate_local_cloud::LocalCloud;
use fargate_tests::{
    EcsEmulator, PATIENCE, SESSION_VARIABLES, ScriptServer, python, quota_cloud, replace_in, runner,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// What ministack does not tell, so that nobody knows it: the check, and its words. Its simulation of policies knows
/// no condition, and the manager's policy has some.
const NOT_TOLD: [(&str, &str); 3] = [
    ("network-acls", "EC2 shows no network ACL of subnet-"),
    ("pass-role", SIMULATION_DIFFERS),
    ("rights", SIMULATION_DIFFERS),
];
const SIMULATION_DIFFERS: &str =
    "IAM's simulation refuses it, and the policies of the role allow it";
/// How many checks run at one time.
pub(crate) const AT_ONCE: usize = 4;

/// Each way to break the stack (`serve_stacks.py`), with the outcome and the check that must name it.
const EXPECTED: [(&str, &str, &str); 16] = [
    ("no-route-to-the-nat-gateway", "fail", "way-out"),
    ("deleted-nat-gateway", "fail", "way-out"),
    ("detached-internet-gateway", "fail", "way-out"),
    ("task-group-open-to-all", "fail", "ssh-exposure"),
    ("task-group-closed-to-the-manager", "fail", "ssh-access"),
    ("task-group-without-443-out", "fail", "group-egress"),
    ("file-system-group-closed-to-tasks", "fail", "efs-access"),
    ("zone-without-mount-target", "fail", "mount-targets"),
    ("no-dns", "fail", "vpc-dns"),
    ("empty-secret", "fail", "registry-secret"),
    ("deleted-log-group", "fail", "log-group"),
    ("deleted-cluster", "fail", "cluster"),
    ("execution-role-for-ec2", "fail", "execution-role"),
    ("execution-role-without-rights", "fail", "execution-role-rights"),
    ("manager-that-may-start-no-task", "fail", "rights"),
    ("powerful-task-role", "warn", "task-role-rights"),
];

/// ministack, and the script that makes stacks in it.
pub(crate) struct TemplateStacks {
    ministack: EcsEmulator,
    pub(crate) maker: ScriptServer,
    folder: TempDir,
}

/// One stack, and the host that is set up for it.
pub(crate) struct CheckedStack {
    endpoint: String,
    /// What `serve_stacks.py` tells of it.
    pub(crate) described: Value,
    config: PathBuf,
    quotas: LocalCloud,
}

impl TemplateStacks {
    /// `None` after saying why they cannot be had here. In CI nothing is skipped.
    pub(crate) async fn start() -> Option<Self> {
        let python = python()?;
        let ministack = EcsEmulator::start().await?;
        let script = "infrastructure/serve_stacks.py";
        let maker = ScriptServer::start(&python, script, &[ministack.endpoint()]);
        let folder = tempfile::tempdir().expect("a folder");
        Some(Self { ministack, maker, folder })
    }

    /// A stack in order, but for this break.
    async fn stack(&mut self, name: &str) -> CheckedStack {
        let stack = self.variant("default", name != "empty-secret").await;
        if name != "good" {
            self.maker.ask(&format!("break {name} {}", stack.described["number"])).await;
        }
        stack
    }

    /// A stack that is made in this way (`serve_stacks.py`), and the host that is set up for it.
    pub(crate) async fn variant(&mut self, variant: &str, fills_secret: bool) -> CheckedStack {
        let described = self.maker.ask(&format!("make {variant}")).await;
        let place = self.folder.path().join(described["name"].as_str().expect("a text"));
        std::fs::create_dir_all(place.join("state")).expect("a folder");
        let quotas = quota_cloud(&described["keys"]).await;
        let endpoint = self.ministack.endpoint().to_owned();
        let stack = CheckedStack { endpoint, described, config: place.join("config.toml"), quotas };
        stack.set_up(fills_secret).await;
        stack
    }
}

impl CheckedStack {
    /// What whoever looks after the account does once: `docs/FIRST_JOB.md`.
    async fn set_up(&self, fills_secret: bool) {
        let name = self.described["name"].as_str().expect("a text");
        self.done(&["config", "import-stack", name, "--region", "eu-west-1"], "").await;
        let state = format!("state_dir = {:?}\n# Made by", self.config.with_file_name("state"));
        replace_in(&self.config, "# Made by", &state);
        // Nobody answers for the registry of this image.
        replace_in(&self.config, "\nimage = ", "\npin_image = false\nimage = ");
        if fills_secret && self.has_output("RegistrySecretArn") {
            self.done(&["registry-secret", "set", "ci", "--password-stdin"], "hunter2-canary")
                .await;
        }
        if self.has_output("FileSystemId") {
            replace_in(&self.config, "#volumes = ", "volumes = ");
            self.done(&["efs", "apply", "--yes"], "").await;
        }
        self.done(&["config", "check"], "").await;
    }

    pub(crate) fn has_output(&self, output: &str) -> bool {
        self.described["outputs"][output].is_string()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(runner());
        command.env_clear().env("AWS_ENDPOINT_URL", &self.endpoint).kill_on_drop(true);
        command.env("AWS_ENDPOINT_URL_SERVICE_QUOTAS", self.quotas.endpoint());
        command.arg("-c").arg(&self.config).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs a command as the root user of the account; it must pass.
    async fn done(&self, arguments: &[&str], input: &str) {
        let mut command = self.command(arguments);
        // ministack takes twelve digits for the account.
        command.env("AWS_ACCESS_KEY_ID", "123456789012").env("AWS_SECRET_ACCESS_KEY", "test");
        let mut running = command.spawn().expect("it runs");
        let mut stdin = running.stdin.take().expect("piped");
        stdin.write_all(input.as_bytes()).await.expect("it reads");
        drop(stdin);
        let ended = timeout(6 * PATIENCE, running.wait_with_output()).await;
        let ended = ended.expect("it ends in time").expect("it ends");
        let said = String::from_utf8_lossy(&[ended.stdout, ended.stderr].concat()).into_owned();
        assert!(ended.status.success(), "{arguments:?}: {said}");
    }

    /// What `check` says to the manager: exit code and report.
    pub(crate) async fn checked(&self) -> (Option<i32>, Value) {
        let group = self.described["outputs"]["ManagerSecurityGroupId"].as_str().expect("a text");
        let mut command = self.command(&["check", "--format", "json", "--manager-group", group]);
        for name in SESSION_VARIABLES {
            command.env(name, self.described["keys"][name].as_str().expect("a text"));
        }
        let output = timeout(6 * PATIENCE, command.output()).await;
        let output = output.expect("it ends in time").expect("it runs");
        let said =
            String::from_utf8_lossy(&[&*output.stdout, &output.stderr].concat()).into_owned();
        assert!(!said.contains("hunter2"), "a secret in {said}");
        let report = serde_json::from_slice(&output.stdout);
        (output.status.code(), report.unwrap_or_else(|error| panic!("{error}: {said}")))
    }
}

/// The lines with this outcome, each once: id and text.
pub(crate) fn lines(report: &Value, outcome: &str) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let lines = report["checks"].as_array().expect("a list").iter();
    lines
        .filter(|line| line["outcome"] == outcome)
        .map(|line| (text(&line["id"]), text(&line["found"])))
        .collect()
}

#[tokio::test]
async fn the_stack_of_the_template_passes_every_check_that_the_emulator_can_answer() {
    let Some(mut stacks) = TemplateStacks::start().await else { return };
    let (code, report) = stacks.stack("good").await.checked().await;
    assert_eq!(lines(&report, "fail"), BTreeMap::new(), "{report:#}");
    assert_eq!(lines(&report, "warn"), BTreeMap::new(), "{report:#}");
    let unknown = lines(&report, "unknown");
    let expected = NOT_TOLD.map(|(id, _)| id);
    assert!(unknown.keys().map(String::as_str).eq(expected), "{unknown:#?}");
    for (id, words) in NOT_TOLD {
        assert!(unknown[id].contains(words), "{id}: {}", unknown[id]);
    }
    assert_eq!(code, Some(2), "something is not known: {report:#}");
    let passed = lines(&report, "pass");
    // Every check that has something to say of such a stack. `egress-addresses` has nothing: ministack's NAT gateways
    // have no addresses.
    let ids: Vec<&str> = passed.keys().map(String::as_str).collect();
    insta::assert_snapshot!(ids.join("\n"));
}

#[tokio::test]
async fn each_way_to_break_the_stack_is_named_by_the_check_that_is_for_it_and_by_no_other() {
    let Some(mut stacks) = TemplateStacks::start().await else { return };
    let known = stacks.maker.ask("list").await;
    let names = EXPECTED.map(|(name, ..)| Value::from(name));
    assert_eq!(known, Value::from(names.to_vec()), "each break has a row here");
    let (_, good) = stacks.stack("good").await.checked().await;
    let mut running = JoinSet::new();
    let mut wrong = Vec::new();
    for expected in EXPECTED {
        let stack = stacks.stack(expected.0).await;
        if running.len() >= AT_ONCE {
            wrong.push(running.join_next().await.expect("one runs").expect("no panic"));
        }
        let good = good.clone();
        running.spawn(async move { wrongly_told(expected, &good, &stack.checked().await.1) });
    }
    wrong.extend(running.join_all().await);
    let wrong: Vec<String> = wrong.into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What is wrong with the report on this break, if anything is.
fn wrongly_told(
    (name, outcome, id): (&str, &str, &str),
    good: &Value,
    report: &Value,
) -> Option<String> {
    let told = newly_told(good, report);
    let is_right = told.len() == 1 && told.contains_key(&(outcome, id.to_owned()));
    (!is_right).then(|| format!("{name}: expected {outcome} of {id}, told {told:#?}"))
}

/// What did not pass, and is not told of the stack that is in order: outcome, id and words.
pub(crate) fn newly_told(good: &Value, report: &Value) -> BTreeMap<(&'static str, String), String> {
    let mut told = BTreeMap::new();
    for kind in ["fail", "warn", "unknown"] {
        let before = lines(good, kind);
        let now = lines(report, kind).into_iter();
        told.extend(
            now.filter(|(id, _)| !before.contains_key(id)).map(|(id, found)| ((kind, id), found)),
        );
    }
    told
}
