//! A host whose user may do what a printed policy allows, or all of it but one action.

use std::future::Future;

use fargate_tests::image_registry::PASSWORD;
use fargate_tests::{CheckedHost, TestJob, TestProcess, TestProcessResult, runner, until};
use serde_json::{Value, json};

/// The account of the local cloud.
const ACCOUNT: &str = "123456789012";
/// The file system of the volume.
pub const FILE_SYSTEM: &str = "fs-0a1b2c3d4e5f60718";
/// The security group of its mount targets.
const MOUNT_GROUP: &str = "sg-0e5f60718293b4c5d";
/// An image of ECR.
const ECR_IMAGE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/ci:1";
/// A secret of jobs.
const NPM_SECRET: &str = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/npm-AbCdEf";
/// The log group of all tasks.
const LOG_GROUP: &str = "/ci/jobs";

/// What the task definitions of somebody else name.
const MANAGER_FLAGS: &[&str] =
    &["--pass-role", "ci-execution", "--pass-role", "ci-task", "--log-group", LOG_GROUP];

/// One action of a policy.
#[derive(Clone, Copy, Debug)]
pub struct PolicyGrant {
    pub action: &'static str,
    /// A part of the statement's condition.
    pub condition: &'static str,
}

impl PolicyGrant {
    /// Whether it is this action of a statement with this condition.
    pub fn is(&self, action: &str, condition: &str) -> bool {
        self.action == action && condition.contains(self.condition)
    }

    /// Takes it out of a policy.
    pub fn take_from(&self, policy: &mut Value) {
        let statements = policy["Statement"].as_array_mut().expect("a list");
        for statement in statements.iter_mut() {
            let condition = statement["Condition"].to_string();
            let mut actions = texts(&statement["Action"]);
            actions.retain(|action| !self.is(action, &condition));
            statement["Action"] = json!(actions);
        }
        statements.retain(|statement| statement["Action"] != json!([]));
        if statements.is_empty() {
            // A policy must allow something; everybody may do this anyway.
            let free = "sts:GetCallerIdentity";
            statements.push(json!({ "Effect": "Allow", "Action": free, "Resource": "*" }));
        }
    }
}

/// A host, and the policy that its configuration needs.
pub struct LimitedHost {
    pub site: CheckedHost,
    policy: Value,
}

impl LimitedHost {
    /// A host whose configuration uses everything that the manager has, with the manager's policy.
    pub async fn of_manager() -> Self {
        let site = furnished().await;
        let host = Self { policy: printed(&site, MANAGER_FLAGS).await, site };
        host.restrict(None);
        host
    }

    /// The same with the policy of another holder.
    pub async fn of(holder: &str) -> Self {
        let site = furnished().await;
        let host = Self { policy: printed(&site, &["--for", holder]).await, site };
        host.restrict(None);
        host
    }

    /// The same with the policy of the administrator.
    pub async fn of_administrator() -> Self {
        Self::of("infrastructure").await
    }

    /// A host that becomes the manager's role for all it does: the role has the manager's policy, and the user may
    /// only become it.
    pub async fn of_host() -> Self {
        let site = furnished().await;
        let role = site.cloud().add_role("eu-west-1", "ci-manager", None);
        site.set("defaults.assume_role_arn", role);
        let manager = printed(&site, MANAGER_FLAGS).await.to_string();
        site.cloud().put_role_policy("ci-manager", "printed", &manager).expect("it is evaluated");
        let host = Self { policy: printed(&site, &["--for", "host"]).await, site };
        host.restrict(None);
        host
    }

    /// Action and condition of each grant of the policy.
    pub fn granted(&self) -> Vec<(String, String)> {
        let statements = self.policy["Statement"].as_array().expect("a list").iter();
        let pairs = statements.flat_map(|statement| {
            let condition = statement["Condition"].to_string();
            texts(&statement["Action"]).into_iter().map(move |action| (action, condition.clone()))
        });
        pairs.collect()
    }

    /// From now on the user may do what the policy allows, without `missing`.
    fn restrict(&self, missing: Option<PolicyGrant>) {
        let mut policy = self.policy.clone();
        if let Some(missing) = missing {
            missing.take_from(&mut policy);
        }
        let policy = policy.to_string();
        self.site.cloud().set_user_policy(Some(&policy)).expect("a policy that can be evaluated");
    }

    /// A job under this profile, which reaches every service in the cloud.
    pub fn job(&self, profile: &str) -> std::rc::Rc<TestJob> {
        self.job_with(profile, |_| {})
    }

    /// The same, changed before its first call.
    pub fn job_with(
        &self,
        profile: &str,
        change: impl FnOnce(&mut TestJob),
    ) -> std::rc::Rc<TestJob> {
        let endpoint = self.site.cloud().endpoint();
        self.site.job_with(|job| {
            job.set("AWS_ENDPOINT_URL", endpoint);
            job.arguments.extend(["--profile".into(), profile.into()]);
            change(job);
        })
    }

    /// A command of a person, which reaches every service in the cloud.
    pub async fn command(&self, words: &[&str], stdin: &str) -> TestProcessResult {
        command(&self.site, words, stdin).await
    }

    /// Starts such a command.
    pub fn start(&self, words: &[&str]) -> TestProcess {
        start(&self.site, words, "")
    }

    /// What everybody was told: the results, and the operator's log.
    pub fn told(&self, results: &[&TestProcessResult]) -> String {
        let results = results.iter().map(|result| result.all()).collect::<Vec<_>>().join("\n");
        format!("{results}\n{}", self.site.log())
    }

    /// Passes if this process ended with `code`.
    pub fn expect(&self, result: &TestProcessResult, code: i32) -> Result<(), String> {
        match result.code == code {
            true => Ok(()),
            false => Err(format!("ended with {}: {}", result.code, self.told(&[result]))),
        }
    }

    /// Ends everything with all rights, and checks what must always hold.
    pub async fn close(self) {
        let cloud = self.site.cloud();
        cloud.set_user_policy(None).expect("no policy");
        for job in self.site.cloud().tasks().iter().filter(|task| task.desired_status == "RUNNING")
        {
            cloud.stop_task_from_outside(&job.arn, "UserInitiated", "the test is over");
        }
        until("the end of all tasks", || cloud.live_tasks() == 0).await;
        self.site.close().await;
    }
}

/// Shows that `flow` passes with the policy of `open`, and that it fails and names the action without each of
/// these grants.
pub async fn prove<O, F>(
    open: impl Fn() -> O,
    missing: impl Iterator<Item = PolicyGrant>,
    flow: impl Fn(std::rc::Rc<LimitedHost>) -> F,
) where
    O: Future<Output = LimitedHost>,
    F: Future<Output = Result<(), String>>,
{
    for missing in std::iter::once(None).chain(missing.map(Some)) {
        let host = std::rc::Rc::new(open().await);
        host.restrict(missing);
        let outcome = flow(std::rc::Rc::clone(&host)).await;
        let problem = match (missing, outcome) {
            (None, Err(told)) => Some(format!("with the whole policy: {told}")),
            (Some(grant), Ok(())) => Some(format!("the flow passes without {grant:?}")),
            (Some(grant), Err(told)) if !told.contains(grant.action) => {
                Some(format!("{} is not named: {told}", grant.action))
            }
            _ => None,
        };
        std::rc::Rc::into_inner(host).expect("the flow has ended").close().await;
        if let Some(problem) = problem {
            panic!("{problem}");
        }
    }
}

/// A host whose configuration uses every call of the manager.
async fn furnished() -> CheckedHost {
    let site = CheckedHost::open().await;
    site.without_policies("each test gives the user a policy of its own");
    for (key, time) in [("aws_connect", "500ms"), ("aws_attempt", "1s"), ("aws_call", "2s")] {
        site.set(&format!("defaults.timeouts.{key}"), time);
    }
    site.set("defaults.timeouts.orphan_recheck", "20ms");
    site.set("defaults.timeouts.task_start", "10s");
    let cloud = site.cloud();
    for (family, command) in [("with-roles", None), ("ends-early", Some("echo canary; exit 3"))] {
        cloud.register(definition(family, command)).expect("a definition that ECS takes");
    }
    site.set("notify.sns_topic", "arn:aws:sns:eu-west-1:123456789012:ci-alarms");
    site.set("notify.after_jobs", 1);
    site.set("profile.gone.task_definition", "nobody-made-it");
    site.set("profile.roles.task_definition", "with-roles");
    site.set("profile.early.task_definition", "ends-early");
    site.set("profile.kept.task_definition", "with-roles");
    site.set("profile.kept.job_max_hold", "30m");
    site.set("profile.public.public_ip", "dialled");
    site.set("profile.own.image", "team/ci:1");
    site.set("profile.own.task_definition_family", "made-here");
    site.set("profile.private.image", "127.0.0.1:1/team/ci:1");
    site.set("profile.private.registry_secret", "ci/registry");
    site.set("profile.private.task_definition_family", "private-jobs");
    site.set("profile.shared.image", "team/ci:2");
    site.set("profile.shared.task_definition_family", "jobs-with-folders");
    site.set("profile.shared.volumes", toml::Value::from(vec!["data"]));
    site.set("volume.data.file_system", FILE_SYSTEM);
    site.set("volume.data.path", "/data");
    site.set("volume.data.mount_target_security_groups", toml::Value::from(vec![MOUNT_GROUP]));
    // No job runs under this profile. It has what the policies of roles are made of.
    site.set("profile.everything.image", ECR_IMAGE);
    site.set("profile.everything.task_definition_family", "made-here");
    site.set("profile.everything.enable_execute_command", true);
    site.set("profile.everything.volumes", toml::Value::from(vec!["whole"]));
    site.set("profile.everything.secrets", secrets(&[("TOKEN", "/ci/token"), ("NPM", NPM_SECRET)]));
    site.set("volume.whole.file_system", FILE_SYSTEM);
    site.set("volume.whole.path", "/whole");
    site.set("volume.whole.access_point", "none");
    site.set("image.ci.repository", ECR_IMAGE.trim_end_matches(":1"));
    site.set("image.ci.context", "/srv/ci");
    site.set("image.ci.manifest", "/srv/images.json");
    site.set("image.ci.registry_secret", "ci/registry");
    site.set("image.ci.signing_key", "arn:aws:kms:eu-west-1:123456789012:key/ci");
    for profile in ["own", "private", "shared", "everything"] {
        site.set(&format!("profile.{profile}.execution_role"), "ci-execution");
        site.set(&format!("profile.{profile}.task_role"), "ci-task");
        site.set(&format!("profile.{profile}.log_group"), LOG_GROUP);
        if profile != "private" {
            // No registry is asked for these.
            site.set(&format!("profile.{profile}.pin_image"), false);
        }
    }
    let login = json!({ "username": "ci", "password": PASSWORD }).to_string();
    site.cloud().put_secret("ci/registry", &login).expect("a secret");
    site.cloud().add_file_system(FILE_SYSTEM);
    site
}

/// The value of the key `secrets`: names of variables, and where their values come from.
pub fn secrets(pairs: &[(&str, &str)]) -> toml::Value {
    let item = |(name, from): &(&str, &str)| {
        let pairs = [("name", *name), ("from", *from)];
        let pairs = pairs.map(|(key, value)| (key.to_owned(), toml::Value::from(value)));
        toml::Value::Table(toml::Table::from_iter(pairs))
    };
    toml::Value::Array(pairs.iter().map(item).collect())
}

fn definition(family: &str, command: Option<&str>) -> Value {
    let role = |name: &str| format!("arn:aws:iam::{ACCOUNT}:role/{name}");
    let mut container = json!({
        "name": "job", "image": "registry.example/job:2",
        "logConfiguration": { "logDriver": "awslogs", "options": {
            "awslogs-group": LOG_GROUP, "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "job",
        } },
    });
    if let Some(command) = command {
        container["command"] = json!(["sh", "-c", command]);
    }
    json!({
        "family": family, "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"],
        "cpu": "1024", "memory": "2048", "containerDefinitions": [container],
        "executionRoleArn": role("ci-execution"), "taskRoleArn": role("ci-task"),
    })
}

/// The policy that `iam-policy` prints for a host's configuration.
pub async fn printed(site: &CheckedHost, more: &[&str]) -> Value {
    let words = [&["iam-policy", "--account", ACCOUNT], more].concat();
    let said = command(site, &words, "").await.with_code(0);
    serde_json::from_str(&said.out()).unwrap_or_else(|error| panic!("{error}: {}", said.all()))
}

async fn command(site: &CheckedHost, words: &[&str], stdin: &str) -> TestProcessResult {
    start(site, words, stdin).ended().await
}

fn start(site: &CheckedHost, words: &[&str], stdin: &str) -> TestProcess {
    let input = site.folder().join("input");
    std::fs::write(&input, stdin).expect("a writable folder");
    let mut all = vec!["-c".to_owned(), "exec \"$0\" \"$@\" < \"$INPUT\"".to_owned()];
    all.extend([
        runner().display().to_string(),
        "-c".to_owned(),
        site.config().display().to_string(),
    ]);
    all.extend(words.iter().map(|word| (*word).to_owned()));
    let endpoint = site.cloud().endpoint();
    let caller = site.job_with(|job| {
        job.environment.retain(|name, _| {
            let name = name.to_string_lossy();
            !(name.contains("EXIT_CODE")
                || name.starts_with("CUSTOM_ENV_")
                || name.starts_with("JOB_"))
        });
        job.set("AWS_ENDPOINT_URL", &endpoint);
        job.set("INPUT", &input);
    });
    caller.start_other("sh", &all)
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        other => vec![other.as_str().expect("a text").to_owned()],
    }
}
