//! `efs plan | apply | show` against the local cloud, which plays EFS, and against ministack.

mod at_once;
mod bad_input;
mod emulator;
mod interrupted;

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;

use aws_sdk_efs::Client;
use fargate_local_cloud::{CloudOptions, TaskTiming};
use fargate_tests::{CheckedHost, END_AT, PolicyHolder, efs_client, runner, until_found};
use serde_json::Value;
use tokio::process::Command;

/// The settings of a profile whose jobs share a cache by project, and tools that are for all.
const SHARED: &str = r#"
image = "team/ci:1"
pin_image = false
task_role = "ci-task"
volumes = ["cache", "tools"]
projects = ["group/app", "team/*"]
"#;

/// What a command said.
pub(crate) struct SaidByEfs {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl SaidByEfs {
    /// Checks the exit code.
    #[track_caller]
    pub(crate) fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}\n{}", self.out, self.err);
        self
    }
}

/// An administrator at a host whose profile shares folders on a new file system.
pub(crate) struct StorageOperator {
    pub(crate) host: CheckedHost,
    pub(crate) efs: Client,
    pub(crate) file_system: String,
}

impl StorageOperator {
    pub(crate) async fn at_once() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut CloudOptions)) -> Self {
        let host = CheckedHost::open_with(change).await;
        let efs = efs_client(host.cloud());
        let made = efs.create_file_system().creation_token("test").send().await;
        let file_system = made.expect("a file system").file_system_id;
        let operator = Self { host, efs, file_system };
        operator.until_available().await;
        operator
    }

    async fn until_available(&self) {
        until_found("the file system is available", || async {
            let found = self.efs.describe_file_systems().file_system_id(&self.file_system);
            let found = found.send().await.expect("an answer");
            let state = found.file_systems()[0].life_cycle_state().as_str().to_owned();
            if state == "available" { Ok(()) } else { Err(state) }
        })
        .await;
    }

    /// The configuration with these further volumes' keys and profile's keys.
    pub(crate) fn configured(&self, volume: &str, profile: &str) -> PathBuf {
        let file = self.host.folder().join("shared.toml");
        let usual = fs::read_to_string(self.host.config()).expect("the configuration");
        let usual: String = usual
            .lines()
            .filter(|line| !line.starts_with("task_definition = "))
            .fold(String::new(), |text, line| text + line + "\n");
        let id = &self.file_system;
        let volumes = format!(
            "[volume.cache]\nfile_system = \"{id}\"\npath = \"/cache\"\nseparation = \"project\"\n{volume}\n\
             [volume.tools]\nfile_system = \"{id}\"\npath = \"/tools\"\nread_only = true\n\
             principals = [\"arn:aws:iam::123456789012:role/build-server\"]\n"
        );
        let text = format!("{usual}\n[profile.shared]\n{SHARED}{profile}\n{volumes}");
        fs::write(&file, text).expect("a writable folder");
        file
    }

    /// Calls `efs` with these arguments.
    pub(crate) async fn says(&self, arguments: &[&str]) -> SaidByEfs {
        self.says_in(&self.configured("", ""), arguments, &[]).await
    }

    /// Calls it with this file, and with further variables of the environment.
    pub(crate) async fn says_in(
        &self,
        file: &PathBuf,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> SaidByEfs {
        let output = Command::new(runner())
            .arg("--config")
            .arg(file)
            .arg("efs")
            .args(arguments)
            .env_clear()
            .envs(self.host.environment_of(PolicyHolder::Infrastructure, file))
            .env("AWS_ENDPOINT_URL", self.host.cloud().endpoint())
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .expect("a program that can be started");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        SaidByEfs {
            code: output.status.code(),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }

    /// How many access points and mount targets there are.
    pub(crate) async fn counts(&self) -> (usize, usize) {
        let points = self.efs.describe_access_points().file_system_id(&self.file_system);
        let points = points.send().await.expect("an answer");
        let targets = self.efs.describe_mount_targets().file_system_id(&self.file_system);
        let targets = targets.send().await.expect("an answer");
        (points.access_points().len(), targets.mount_targets().len())
    }

    pub(crate) async fn policy(&self) -> Value {
        let found = self.efs.describe_file_system_policy().file_system_id(&self.file_system);
        let found = found.send().await.expect("a policy");
        serde_json::from_str(found.policy().expect("a text")).expect("JSON")
    }
}

#[tokio::test]
async fn what_is_missing_is_planned_made_once_and_shown() {
    // A mount target takes some 2 seconds.
    let slow = |options: &mut CloudOptions| {
        options.pace = TaskTiming::Measured { factor: 0.02 };
    };
    let person = StorageOperator::with(slow).await;
    let planned = person.says(&["plan"]).await.with_code(1);
    for line in [
        "make an access point for the volume `cache` and the protected refs of group/app: folder \
         /fargate-runner/cache/",
        "make an access point for the volume `cache` and the unprotected refs of group/app",
        "make an access point for the volume `tools` and all jobs: folder /fargate-runner/tools;",
        "write a policy: there is none",
        "make a mount target in subnet-0a1b2c3d4e5f60718 of eu-west-1a",
        "make a mount target in subnet-0b2c3d4e5f607182a of eu-west-1b",
    ] {
        assert!(planned.out.contains(line), "{line}\n{}", planned.out);
    }
    assert_eq!(planned.out.lines().count(), 6, "{}", planned.out);
    assert!(planned.err.contains("`team/*` stands for many"), "{}", planned.err);
    assert_eq!(person.counts().await, (0, 0), "a plan makes nothing");
    person.says(&["apply"]).await.with_code(1);
    assert_eq!(person.counts().await, (0, 0), "nothing is made unasked");
    let printed = person.says(&["apply", "--print"]).await.with_code(0);
    let calls: Vec<Value> = serde_json::from_str(&printed.out).expect("JSON");
    assert_eq!(calls.len(), 6);
    assert_eq!(person.counts().await, (0, 0), "what is printed is not made");

    let made = person.says(&["apply", "--yes"]).await.with_code(0);
    assert!(made.err.contains("waiting for the mount targets"), "{}", made.err);
    assert_eq!(person.counts().await, (3, 2));
    person.says(&["plan"]).await.with_code(0);
    let before = person.host.calls("CreateAccessPoint");
    let again = person.says(&["apply", "--yes"]).await.with_code(0);
    assert!(again.err.contains("nothing is missing"), "{}", again.err);
    assert_eq!(person.host.calls("CreateAccessPoint"), before);
    assert_eq!(person.counts().await, (3, 2));

    let one_more = ["apply", "--yes", "--project", "Team/Web"];
    person.says(&one_more).await.with_code(0);
    assert_eq!(person.counts().await, (5, 2));
    // A later run without the flag keeps the project's access points in the policy.
    person.says(&["plan"]).await.with_code(0);
    let shown = person.says(&["show", "--format", "json"]).await.with_code(0);
    let shown: Value = serde_json::from_str(&shown.out).expect("JSON");
    let volumes = shown["file_systems"][0]["volumes"].as_array().expect("volumes");
    assert_eq!(volumes[0]["access_points"].as_array().expect("points").len(), 4, "{shown}");
    assert_eq!(shown["file_systems"][0]["mount_targets"].as_array().expect("targets").len(), 2);
    let table = person.says(&["show", "--format", "tsv"]).await.with_code(0);
    assert!(table.out.contains("the protected refs of team/web"), "{}", table.out);
    person.host.close().await;
}

#[tokio::test]
async fn the_policy_lets_in_the_named_roles_alone_and_keeps_what_others_wrote() {
    let person = StorageOperator::at_once().await;
    let foreign = r#"{"Version":"2012-10-17","Id":"theirs","Statement":[{"Sid":"Backup","Effect":"Allow",
        "Principal":{"AWS":"*"},"Action":"elasticfilesystem:Client*","Resource":"*"}]}"#;
    let put = person.efs.put_file_system_policy().file_system_id(&person.file_system);
    put.policy(foreign).send().await.expect("a policy that the cloud takes");
    let planned = person.says(&["plan"]).await.with_code(1);
    assert!(
        planned.err.contains(
            "the statement `Backup` of the policy, which is not ours and stays, opens more than ours: \
             everybody may mount, clients may act as root, connections without TLS, the whole file system"
        ),
        "{}",
        planned.err
    );
    person.says(&["apply", "--yes"]).await.with_code(0);
    let policy = person.policy().await;
    assert_eq!(policy["Id"], "theirs");
    let statements = policy["Statement"].as_array().expect("statements");
    assert_eq!(statements[0]["Sid"], "Backup");
    let ours = &statements[1..];
    assert!(
        ours.iter().all(|one| one["Sid"].as_str().expect("a Sid").starts_with("FargateRunner"))
    );
    let text = serde_json::Value::from(ours.to_vec()).to_string();
    assert!(!text.contains("ClientRootAccess") && !text.contains("\"*\""), "{text}");
    for one in ours {
        let conditions = &one["Condition"];
        assert_eq!(conditions["Bool"]["aws:SecureTransport"], "true");
        assert_eq!(conditions["Bool"]["elasticfilesystem:AccessedViaMountTarget"], "true");
        assert!(!conditions["StringEquals"]["elasticfilesystem:AccessPointArn"].is_null(), "{one}");
    }
    // The tasks read the tools, the build server writes them, and it has no way into the cache.
    let of = |role: &str, action: &str| {
        let names = |value: &Value, word: &str| value.to_string().contains(word);
        let fits = ours
            .iter()
            .filter(|one| names(&one["Principal"], role) && names(&one["Action"], action));
        let points =
            fits.map(|one| &one["Condition"]["StringEquals"]["elasticfilesystem:AccessPointArn"]);
        points.map(|arns| arns.as_array().map_or(1, Vec::len)).sum::<usize>()
    };
    assert_eq!((of("ci-task", "ClientMount"), of("ci-task", "ClientWrite")), (3, 2));
    assert_eq!((of("build-server", "ClientMount"), of("build-server", "ClientWrite")), (1, 1));

    // What differs is put right; what others wrote stays.
    let changed = person.configured("", "refs = \"protected\"");
    let planned = person.says_in(&changed, &["plan"], &[]).await.with_code(1);
    assert!(planned.out.contains("replace our statements"), "{}", planned.out);
    person.says_in(&changed, &["apply", "--yes"], &[]).await.with_code(0);
    let policy = person.policy().await;
    assert_eq!(policy["Statement"][0]["Sid"], "Backup");
    assert_eq!(person.counts().await, (3, 2), "nothing is deleted");
    person.host.close().await;
}

/// Ends the process behind its `step`th step.
pub(crate) fn ended_behind(step: usize) -> [(&'static str, String); 1] {
    [(END_AT, format!("KILL {step}"))]
}
