//! The rights that the template gives, and those that `iam-policy` prints for the configuration that
//! `config import-stack` makes of its outputs. Each difference is named here, with its reason.
//!
//! `template_and_module` holds that the module of Terraform gives the same rights.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use fargate_tests::runner;
use serde_json::Value;

use crate::{judges, root};

/// The outputs of the stack whose rights `tests/infrastructure/template_policies.py` tells.
const OUTPUTS: &str = r#"{"OutputsVersion": "1", "Region": "eu-west-1", "ClusterName": "ci",
    "PrivateSubnetIds": "subnet-0a1b2c3d4e5f60718", "TaskSecurityGroupId": "sg-0c3d4e5f60718293b",
    "FileSystemSecurityGroupId": "sg-0e5f60718293b4c5d", "FileSystemId": "fs-0a1b2c3d4e5f60718",
    "TaskDefinitionFamily": "fargate-runner-ci", "JobImage": "registry.example/team/ci:1",
    "RegistrySecretArn": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/registry-AbCdEf",
    "LogGroupName": "/ci/tasks", "ExecutionRoleArn": "arn:aws:iam::123456789012:role/ci-execution",
    "TaskRoleArn": "arn:aws:iam::123456789012:role/ci-task"}"#;
/// What an operator adds to that file, so that each holder has something to do.
const ADDED: &str = r#"
[profile.of-ecr]
image = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/ci:1"
job_max_hold = "30m"
[image.ci]
repository = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/team/ci"
context = "/srv/ci"
manifest = "/srv/images.json"
"#;

/// How the rights to one action differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum RightsDifference {
    /// The policy has them, the template does not give them.
    NotGiven,
    /// The template gives them, the policy has them not.
    OnlyGiven,
    /// Both have them, for other resources or under another condition.
    Otherwise,
}
use RightsDifference::{NotGiven, OnlyGiven, Otherwise};

/// Each difference: the holder, which it is, the actions, and the reason.
const DIFFERENCES: &[(&str, RightsDifference, &[&str], &str)] = &[
    (
        "manager",
        Otherwise,
        &["ecs:RunTask", "ecs:DeleteTaskDefinitions"],
        "all families that begin with the stack's, so that a profile can have one of its own",
    ),
    (
        "manager",
        Otherwise,
        &["ecs:TagResource"],
        "one statement for tasks and definitions: shorter",
    ),
    (
        "execution",
        Otherwise,
        &["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
        "the stack does not know the repositories of images",
    ),
    (
        "image-builder",
        Otherwise,
        &[
            "ecr:BatchCheckLayerAvailability",
            "ecr:BatchDeleteImage",
            "ecr:BatchGetImage",
            "ecr:CompleteLayerUpload",
            "ecr:DescribeImages",
            "ecr:DescribeRepositories",
            "ecr:GetDownloadUrlForLayer",
            "ecr:InitiateLayerUpload",
            "ecr:PutImage",
            "ecr:UploadLayerPart",
        ],
        "the repositories are an input of the stack",
    ),
    (
        "image-builder",
        Otherwise,
        &["ecs:DescribeTasks", "ecs:ListTasks"],
        "images may be in use in other clusters",
    ),
    (
        "infrastructure",
        NotGiven,
        &[
            "ec2:CreateNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "elasticfilesystem:CreateMountTarget",
        ],
        "the stack makes the mount targets",
    ),
    ("infrastructure", NotGiven, &["secretsmanager:CreateSecret"], "the stack makes the secret"),
    (
        "infrastructure",
        Otherwise,
        &[
            "elasticfilesystem:CreateAccessPoint",
            "elasticfilesystem:DescribeAccessPoints",
            "elasticfilesystem:DescribeFileSystemPolicy",
            "elasticfilesystem:DescribeFileSystems",
            "elasticfilesystem:DescribeMountTargetSecurityGroups",
            "elasticfilesystem:DescribeMountTargets",
            "elasticfilesystem:PutFileSystemPolicy",
            "elasticfilesystem:TagResource",
        ],
        "access points as well, and tags without a condition: one statement, shorter",
    ),
    (
        "infrastructure",
        Otherwise,
        &["cloudformation:DescribeStacks"],
        "the stack names itself; the policy allows all stacks, because no configuration names one",
    ),
    (
        "infrastructure",
        OnlyGiven,
        &["ssm:GetParameter", "ssm:PutParameter", "ssm:StartSession"],
        "the outputs, the token of the runner and shells on the host, which no command reads",
    ),
    (
        "check",
        NotGiven,
        &["ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer"],
        "the stack does not know the repositories; `--pull` needs it",
    ),
    (
        "check",
        NotGiven,
        &["kms:DescribeKey", "kms:GetKeyPolicy"],
        "the stack's secret has no key of its own",
    ),
    (
        "check",
        Otherwise,
        &[
            "iam:GetPolicy",
            "iam:GetPolicyVersion",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:SimulatePrincipalPolicy",
        ],
        "the stack knows the roles, and all policies of the host's role",
    ),
];
/// The calls by which `check` reads a managed policy.
const POLICY_READS: [&str; 2] = ["iam:GetPolicy", "iam:GetPolicyVersion"];

/// The resources and conditions of each action.
type AllowedActions = BTreeMap<String, BTreeSet<String>>;

/// What statements allow.
fn allowed(statements: &Value) -> AllowedActions {
    let texts = |value: &Value| match value {
        Value::Array(items) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        one => vec![one.as_str().expect("a text").to_owned()],
    };
    let mut all = AllowedActions::new();
    for statement in statements.as_array().expect("a list") {
        let condition = &statement["Condition"];
        let under = if condition.is_null() { String::new() } else { format!(" if {condition}") };
        for action in texts(&statement["Action"]) {
            let resources = texts(&statement["Resource"]).into_iter();
            all.entry(action).or_default().extend(resources.map(|one| format!("{one}{under}")));
        }
    }
    all
}

/// How they differ, by action.
fn differences(
    printed: &AllowedActions,
    given: &AllowedActions,
) -> BTreeSet<(RightsDifference, String)> {
    let actions: BTreeSet<&String> = printed.keys().chain(given.keys()).collect();
    let different = actions.into_iter().filter_map(|action| {
        let how = match (printed.get(action), given.get(action)) {
            (one, other) if one == other => return None,
            (Some(_), None) => NotGiven,
            (None, _) => OnlyGiven,
            (Some(_), Some(_)) => Otherwise,
        };
        Some((how, action.clone()))
    });
    different.collect()
}

/// The statements that the template gives, by holder.
fn given() -> Option<Value> {
    let judges = judges()?;
    let output = Command::new(judges.join("python"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .arg(root().join("tests/infrastructure/template_policies.py"))
        .arg(root().join("infrastructure/cloudformation/fargate-runner.yaml"))
        .output()
        .expect("python was installed");
    let words = String::from_utf8_lossy(&output.stderr);
    let read = serde_json::from_slice(&output.stdout);
    Some(read.unwrap_or_else(|error| panic!("{error}: {words}")))
}

/// The configuration that an operator has after `config import-stack`.
fn configuration(folder: &Path) {
    std::fs::write(folder.join("outputs.json"), OUTPUTS).expect("a writable folder");
    let file = folder.join("config.toml");
    let imported = run(folder, &["config", "import-stack", "--outputs", "outputs.json"]);
    assert_eq!(imported, "config.toml\n");
    let text = std::fs::read_to_string(&file).expect("the file");
    let text = text.replace("#volumes", "volumes") + ADDED;
    std::fs::write(&file, text).expect("a writable folder");
}

fn run(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(runner());
    command.env_clear().current_dir(folder).args(["-c", "config.toml"]).args(arguments);
    let output = command.output().expect("it was built");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn the_template_gives_each_role_what_iam_policy_prints_but_for_named_differences() {
    let Some(given) = given() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    configuration(folder.path());
    let printed = |words: &[&str]| {
        let text = run(folder.path(), &[&["iam-policy", "--for"], words].concat());
        let policy: Value = serde_json::from_str(&text).expect("JSON");
        allowed(&policy["Statement"])
    };
    let mut otherwise = String::new();
    for holder in ["manager", "execution", "image-builder", "infrastructure", "check"] {
        let policy = match holder {
            // The host has both.
            "check" => {
                let mut both = printed(&["manager", "--with-check"]);
                let manager = printed(&["manager"]);
                let in_check = allowed(&given["check"]);
                both.retain(|action, _| {
                    in_check.contains_key(action) || !manager.contains_key(action)
                });
                both
            }
            other => printed(&[other]),
        };
        let given = allowed(&given[holder]);
        let found = differences(&policy, &given);
        for (_, action) in found.iter().filter(|(how, _)| *how == Otherwise) {
            let (printed, given) = (&policy[action], &given[action]);
            otherwise +=
                &format!("{holder} {action}\n  policy {printed:?}\n  template {given:?}\n");
        }
        let rows = DIFFERENCES.iter().filter(|(of, ..)| *of == holder);
        let named: BTreeSet<_> = rows
            .flat_map(|(_, how, actions, _)| {
                actions.iter().map(move |action| (*how, (*action).to_owned()))
            })
            .collect();
        assert_eq!(found, named, "{holder}: what differs, and what this test names");
    }
    // What differs otherwise differs as somebody has read it here, and no more.
    insta::assert_snapshot!(otherwise);
}

#[test]
fn the_manager_may_read_every_policy_that_the_template_attaches_to_its_role() {
    let Some(given) = given() else { return };
    let attached = given["attached to the manager"].as_array().expect("a list");
    let attached: BTreeSet<String> =
        attached.iter().map(|arn| arn.as_str().expect("a text").to_owned()).collect();
    assert_eq!(attached.len(), 2, "{attached:?}");
    let check = allowed(&given["check"]);
    // One policy that cannot be read makes `excess-rights` unknown, and `check` then never exits with 0.
    for action in POLICY_READS {
        assert_eq!(check[action], attached, "{action}");
    }
}
