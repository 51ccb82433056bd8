//! `config import-stack` as a person calls it: what is written and told, and every way in which it must not write.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use fargate_tests::{EcsEmulator, python, runner};
use tempfile::TempDir;
use tokio::process::Command;

/// What the parameter of the stack holds.
const OUTPUTS: &str = r#"{"OutputsVersion": "1", "Region": "eu-west-1", "ClusterName": "ci",
    "PrivateSubnetIds": "subnet-0a1b2c3d4e5f60718", "TaskSecurityGroupId": "sg-0c3d4e5f60718293b",
    "TaskDefinitionFamily": "fargate-runner-ci", "JobImage": "team/ci:1", "RegistrySecretArn": "",
    "ExecutionRoleArn": "arn:aws:iam::123456789012:role/e", "TaskRoleArn": "arn:aws:iam::123456789012:role/t"}"#;

/// Makes the stack in an emulator and prints nothing; `DELETE` instead of outputs makes none.
const MAKE_STACK: &str = "
import boto3, json, sys
cf = boto3.client('cloudformation', endpoint_url=sys.argv[1], region_name='eu-west-1',
                  aws_access_key_id='test', aws_secret_access_key='test')
outputs = {key: {'Value': value} for key, value in json.loads(sys.argv[3]).items() if value}
cf.create_stack(StackName=sys.argv[2], TemplateBody=json.dumps({
    'Resources': {'Log': {'Type': 'AWS::Logs::LogGroup'}}, 'Outputs': outputs}))
cf.get_waiter('stack_create_complete').wait(StackName=sys.argv[2], WaiterConfig={'Delay': 1, 'MaxAttempts': 30})
";

/// A folder of its own, with the file of outputs in it.
struct ImportPlace {
    folder: TempDir,
}

/// How a command ended: exit code, stdout, stderr.
type CommandEnd = (Option<i32>, String, String);

impl ImportPlace {
    fn with(outputs: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("outputs.json"), outputs).expect("a writable folder");
        Self { folder }
    }

    fn config(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }

    async fn says(&self, environment: &[(&str, &str)], arguments: &[&str]) -> CommandEnd {
        let mut command = Command::new(runner());
        command.env_clear().envs(environment.iter().copied()).current_dir(self.folder.path());
        command.args(["-c", "config.toml"]).args(arguments).stdin(Stdio::null());
        let output = command.output().await.expect("it runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    async fn imports(&self, more: &[&str]) -> CommandEnd {
        let arguments = [&["config", "import-stack", "--outputs", "outputs.json"], more].concat();
        self.says(&[], &arguments).await
    }
}

async fn make_stack(python: &Path, endpoint: &str, name: &str, outputs: &str) {
    let mut command = Command::new(python);
    command.args(["-c", MAKE_STACK, endpoint, name, outputs]);
    let output = command.output().await.expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn the_file_that_is_written_is_one_that_config_check_accepts() {
    let place = ImportPlace::with(OUTPUTS);
    let (code, out, err) = place.imports(&[]).await;
    assert_eq!((code, out.as_str()), (Some(0), "config.toml\n"), "{err}");
    assert_eq!(err, "Then: fargate-runner -c config.toml config check\n");
    let (code, out, err) = place.says(&[], &["config", "check"]).await;
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.starts_with("config.toml: in order"), "{out}");
}

#[tokio::test]
async fn a_file_that_is_there_is_replaced_only_if_that_is_asked_for() {
    let place = ImportPlace::with(OUTPUTS);
    fs::write(place.config(), "mine").expect("a writable folder");
    let (code, _, err) = place.imports(&[]).await;
    assert_eq!(code, Some(1));
    assert!(err.contains("config.toml exists already, and is not overwritten"), "{err}");
    assert!(err.contains("`--force` replaces this one"), "{err}");
    assert_eq!(fs::read_to_string(place.config()).expect("the file"), "mine");
    assert_eq!(place.imports(&["--force"]).await.0, Some(0));
    let written = fs::read_to_string(place.config()).expect("the file");
    assert!(written.contains("cluster = \"ci\""), "{written}");
    let names: Vec<_> = fs::read_dir(place.folder.path()).expect("a folder").collect();
    assert_eq!(names.len(), 2, "no other file is left: {names:?}");
}

#[tokio::test]
async fn outputs_that_do_not_fit_are_one_error_and_nothing_is_written() {
    let wrong =
        OUTPUTS.replace("ClusterName", "Klaster").replace("\"TaskRoleArn\"", "\"Role\\u001b\"");
    for (outputs, expected) in [
        (wrong.as_str(), "missing: ClusterName, TaskRoleArn; unknown: Klaster, Role\\x1b"),
        ("<html>", "no JSON"),
        ("[1]", "no JSON object"),
        (&OUTPUTS.replace("\"1\"", "\"7\""), "have version 7, and this program reads version 1"),
        (&OUTPUTS.replace("sg-0c3d4e5f60718293b", "a group"), "`defaults.security_groups"),
    ] {
        let place = ImportPlace::with(outputs);
        let (code, out, err) = place.imports(&[]).await;
        assert_eq!((code, out.as_str()), (Some(1), ""), "{err}");
        assert!(
            err.starts_with("error: the outputs of outputs.json: ") && err.contains(expected),
            "{err}"
        );
        assert!(err.contains("\nhint: ") && !err.contains('\u{1b}'), "{err}");
        assert!(!place.config().exists());
    }
}

#[tokio::test]
async fn a_file_of_outputs_that_cannot_be_read_and_no_source_at_all_are_said() {
    let place = ImportPlace::with(OUTPUTS);
    let (code, _, err) =
        place.says(&[], &["config", "import-stack", "--outputs", "none.json"]).await;
    assert_eq!(code, Some(1));
    assert!(err.starts_with("error: reading none.json: No such file"), "{err}");
    let (code, _, err) = place.says(&[], &["config", "import-stack"]).await;
    assert_eq!(code, Some(2), "{err}");
    let both = ["config", "import-stack", "ci", "--outputs", "outputs.json"];
    assert_eq!(place.says(&[], &both).await.0, Some(2));
    let big = format!("\"{}\"", "x".repeat(2 << 20));
    let (code, _, err) = ImportPlace::with(&big).imports(&[]).await;
    assert_eq!(code, Some(1));
    assert!(err.contains("more than 1048576 bytes"), "{err}");
}

#[tokio::test]
async fn a_folder_that_nobody_may_write_to_is_said_with_what_to_do() {
    let place = ImportPlace::with(OUTPUTS);
    let arguments =
        ["-c", "none/config.toml", "config", "import-stack", "--outputs", "outputs.json"];
    let (code, _, err) = place.says(&[], &arguments[2..]).await;
    assert_eq!(code, Some(0), "{err}");
    let mut command = Command::new(runner());
    let output = command.env_clear().args(arguments).current_dir(place.folder.path()).output();
    let err = String::from_utf8_lossy(&output.await.expect("it runs").stderr).into_owned();
    assert!(err.contains("there is no folder none"), "{err}");
    let mode = fs::metadata(place.config()).expect("the file").permissions().mode();
    assert_eq!(mode & 0o022, 0, "others may not write it");
}

#[tokio::test]
async fn cloudformation_is_asked_for_a_stack_by_its_name() {
    let Some(python) = python() else { return };
    let Some(emulator) = EcsEmulator::start().await else { return };
    let environment = [
        ("AWS_ENDPOINT_URL", emulator.endpoint()),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    make_stack(&python, emulator.endpoint(), "ci", OUTPUTS).await;
    let other = r#"{"ClusterName": "ci", "Colour": "red"}"#;
    make_stack(&python, emulator.endpoint(), "other", other).await;
    let place = ImportPlace::with("");
    let asked = |name| ["config", "import-stack", name, "--region", "eu-west-1"];
    let (code, _, err) = place.says(&environment, &asked("missing")).await;
    assert_eq!(code, Some(1));
    assert!(
        err.contains("the stack missing in eu-west-1") && err.contains("does not exist"),
        "{err}"
    );
    let (code, _, err) = place.says(&environment, &asked("other")).await;
    assert_eq!(code, Some(1));
    assert!(err.contains("missing: OutputsVersion, Region, PrivateSubnetIds"), "{err}");
    assert!(err.contains("unknown: Colour"), "{err}");
    assert!(!place.config().exists());
    let (code, out, err) = place.says(&environment, &asked("ci")).await;
    assert_eq!((code, out.as_str()), (Some(0), "config.toml\n"), "{err}");
    assert_eq!(place.says(&[], &["config", "check"]).await.0, Some(0));
}
