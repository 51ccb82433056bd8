//! The good account passes, and each break is found by exactly one check.

use fargate_aws::EfsAccessPoint;
use fargate_config::{HostKey, VolumeSeparation};
use fargate_efs::{FolderOwner, MadeAccessPoint, ProtectionLevel};
use fargate_status_answers::CheckOutcome;
use proptest::prelude::*;
use serde_json::json;

use crate::account_view::AccountView;
use crate::checks::account_fixture::{
    ACCOUNT, AccountFixture, EFS, EXECUTION, IDS, KEY_POLICY, MANAGER, TRUST,
};
use crate::read::read_roles::role_of_other_account;
use crate::reading::AwsReading;
use crate::views::*;

type Break = fn(&mut AccountFixture);

fn not_allowed<T>() -> AwsReading<T> {
    AwsReading::NotAllowed { right: "x:Read".to_owned(), error: "AccessDenied: no".to_owned() }
}

#[test]
fn a_good_account_passes_every_check() {
    let good = AccountFixture::good();
    let odd: Vec<_> = good
        .findings()
        .into_iter()
        .filter(|(_, found)| found.outcome != CheckOutcome::Pass)
        .collect();
    assert!(odd.is_empty(), "{odd:#?}");
    assert_eq!(good.ids(CheckOutcome::Pass), IDS);
}

#[test]
fn what_a_good_account_is_told() {
    let told: Vec<String> = AccountFixture::good()
        .findings()
        .iter()
        .map(|(id, found)| format!("{id}: {}", found.text()))
        .collect();
    insta::assert_snapshot!(told.join("\n"));
}

/// Each break with the one check that fails.
const FAILURES: &[(&str, &str, Break)] = &[
    ("no right to start tasks", "rights", |it| {
        it.set_policy("manager", &MANAGER.replace("\"ecs:RunTask\", ", ""));
    }),
    ("no right to stop tasks", "rights", |it| {
        it.set_policy("manager", &MANAGER.replace("\"ecs:StopTask\", ", ""));
    }),
    ("tasks of another cluster alone", "rights", |it| {
        it.set_policy("manager", &MANAGER.replace("cluster/ci", "cluster/other"));
    }),
    ("a denial by name", "rights", |it| {
        let denied = r#"[{"Effect": "Deny", "Action": "ecs:StopTask", "Resource": "*"},"#;
        it.set_policy("manager", &MANAGER.replacen('[', denied, 1));
    }),
    ("no right to register", "rights", |it| {
        it.set_policy("manager", &MANAGER.replace("\"ecs:RegisterTaskDefinition\", ", ""));
    }),
    ("no right to look up access points", "rights", |it| {
        it.set_policy("manager", &MANAGER.replace("elasticfilesystem:DescribeAccessPoints", "a:b"));
    }),
    ("the task role is not passed", "pass-role", |it| {
        it.set_policy("manager", &MANAGER.replace("role/ci-task", "role/other"));
    }),
    ("roles are passed to another service", "pass-role", |it| {
        it.set_policy("manager", &MANAGER.replace("ecs-tasks", "ec2"));
    }),
    ("no cluster", "cluster", |it| {
        it.view.cluster.clusters.insert("ci".to_owned(), AwsReading::Known(None));
    }),
    ("an inactive cluster", "cluster", |it| cluster(it).status = "INACTIVE".to_owned()),
    ("no Spot in the cluster", "capacity-providers", |it| {
        it.needs.profiles[0].capacity_fallback = vec!["FARGATE_SPOT".to_owned()];
        cluster(it).providers.retain(|provider| provider != "FARGATE_SPOT");
    }),
    ("a platform version without EFS", "platform-version", |it| {
        it.needs.profiles[0].platform_version = Some("1.3.0".to_owned());
    }),
    ("a definition that cannot be made", "task-definition", |it| {
        it.view.cluster.definitions[0] =
            AwsReading::Known(Err("the template has no container".to_owned()));
    }),
    ("an inactive definition", "task-definition", |it| it.definition().is_active = false),
    ("a definition for servers", "task-definition", |it| it.definition().is_for_fargate = false),
    ("a definition with a bridge", "task-definition", |it| {
        it.definition().network_mode = "bridge".to_owned();
    }),
    ("a size that Fargate does not offer", "task-definition", |it| {
        it.definition().memory = Some(1);
    }),
    ("no container for scripts", "task-definition", |it| it.definition().containers.clear()),
    ("no execution role", "execution-role", |it| {
        it.role("ci-execution").role = AwsReading::Known(None);
    }),
    ("an execution role for servers", "execution-role", |it| {
        trust(it, "ci-execution", &TRUST.replace("ecs-tasks", "ec2"));
    }),
    ("an execution role for another account", "execution-role", |it| {
        trust(it, "ci-execution", &TRUST.replace(ACCOUNT, "210987654321"));
    }),
    ("no task role", "task-role", |it| it.role("ci-task").role = AwsReading::Known(None)),
    ("a task role for functions", "task-role", |it| {
        trust(it, "ci-task", &TRUST.replace("ecs-tasks", "lambda"));
    }),
    ("a task role of another account", "task-role", |it| {
        let other = "arn:aws:iam::210987654321:role/ci-task";
        *it.role("ci-task") = role_of_other_account(other);
        it.definition().task_role = Some(other.to_owned());
        it.needs.profiles[0].task_role = Some(other.to_owned());
    }),
    ("a task role that a user may assume, where it proves host keys", "task-role", |it| {
        it.needs.profiles[0].host_key = HostKey::Sts;
        trust(it, "ci-task", &trust_of("arn:aws:iam::123456789012:user/ci"));
    }),
    ("the execution role may not read the secret", "execution-role-rights", |it| {
        it.set_policy("ci-execution", &EXECUTION.replace("ci/registry-", "ci/other-"));
    }),
    ("the execution role may not write the log", "execution-role-rights", |it| {
        it.set_policy("ci-execution", &EXECUTION.replace("logs:PutLogEvents", "logs:GetLogEvents"));
    }),
    ("the policy of the secret denies it", "execution-role-rights", |it| {
        let text = r#"{"Statement": {"Effect": "Deny", "Principal": "*", "Resource": "*",
            "Action": "secretsmanager:GetSecretValue"}}"#;
        it.secret().policy = AwsReading::Known(Some(text.to_owned()));
    }),
    ("no secret", "registry-secret", |it| {
        it.secret().description = AwsReading::Known(None);
        it.secret().form = AwsReading::Known(SecretForm::Empty);
    }),
    ("a secret without a value", "registry-secret", |it| {
        it.secret().form = AwsReading::Known(SecretForm::Empty);
    }),
    ("a secret of another form", "registry-secret", |it| {
        let why = "the JSON has no `password`".to_owned();
        it.secret().form = AwsReading::Known(SecretForm::Wrong { why });
    }),
    ("a secret that is to be deleted", "registry-secret", |it| {
        if let AwsReading::Known(Some(found)) = &mut it.secret().description {
            found.deleted_at = Some(1);
        }
    }),
    ("a disabled key", "registry-secret-key", |it| {
        if let Some(AwsReading::Known(Some(key))) = &mut it.secret().key {
            key.state = "Disabled".to_owned();
        }
    }),
    ("no key", "registry-secret-key", |it| it.secret().key = Some(AwsReading::Known(None))),
    ("a key for others", "registry-secret-key", |it| {
        it.secret().key_policy = AwsReading::Known(KEY_POLICY.replace(ACCOUNT, "210987654321"));
    }),
    ("the execution role may not decrypt", "registry-secret-key", |it| {
        it.set_policy("ci-execution", &EXECUTION.replace("kms:Decrypt", "kms:Encrypt"));
    }),
    ("an image that is not there", "image", |it| {
        let why = "the repository has no image 1".to_owned();
        let answer = AwsReading::Known(ImageAnswer::Unusable { why, fix: None });
        it.view.registry.images.values_mut().for_each(|image| *image = answer.clone());
    }),
    ("no log group", "log-group", |it| {
        it.view.registry.log_groups.values_mut().for_each(|is| *is = AwsReading::Known(false));
    }),
    ("no file system", "file-system", |it| {
        *it.file_system() = FileSystemView {
            found: AwsReading::Known(None),
            access_points: AwsReading::Known(Vec::new()),
            policy: AwsReading::Known(None),
        };
        it.view.storage.mount_targets = AwsReading::Known(Vec::new());
    }),
    ("a file system that is being deleted", "file-system", |it| {
        if let AwsReading::Known(Some(found)) = &mut it.file_system().found {
            found.state = "deleting".to_owned();
        }
    }),
    ("no mount target in one zone", "mount-targets", |it| {
        if let AwsReading::Known(targets) = &mut it.view.storage.mount_targets {
            targets.pop();
        }
    }),
    ("mount targets in the same zones of another VPC", "mount-targets", |it| {
        if let AwsReading::Known(targets) = &mut it.view.storage.mount_targets {
            targets.iter_mut().for_each(|target| target.vpc = Some("vpc-0b2".to_owned()));
        }
    }),
    ("no access point", "access-points", |it| {
        it.file_system().access_points = AwsReading::Known(Vec::new());
    }),
    ("an access point of another user", "access-points", |it| {
        if let AwsReading::Known(points) = &mut it.file_system().access_points {
            points[0].shape.user = Some((7, 7));
        }
    }),
    ("an access point of another folder", "access-points", |it| {
        if let AwsReading::Known(points) = &mut it.file_system().access_points {
            points[0].shape.root = "/".to_owned();
        }
    }),
    ("a policy of EFS for others", "mount-rights", |it| {
        it.file_system().policy = AwsReading::Known(Some(EFS.replace("ci-task", "other")));
    }),
    ("a policy of EFS without writing", "mount-rights", |it| {
        let text = EFS.replace(", \"elasticfilesystem:ClientWrite\"", "");
        it.file_system().policy = AwsReading::Known(Some(text));
    }),
    ("a denial of the role's own", "mount-rights", |it| {
        let text = EFS.replacen('[', r#"[{"Effect": "Deny", "Principal": "*", "Action": "*"},"#, 1);
        it.file_system().policy = AwsReading::Known(Some(text));
    }),
    ("a task role for another file system", "mount-rights", |it| {
        it.file_system().policy = AwsReading::Known(Some(EFS.replace("ci-task", "other")));
        it.set_policy("ci-task", &mount_policy("fs-0f9e8d7c"));
    }),
    ("a quota below one task", "vcpu-quota", |it| {
        it.view.quotas.on_demand_vcpu = AwsReading::Known(0.0);
    }),
    ("no network interface", "network-interface-quota", |it| {
        it.needs.concurrency = None;
        it.view.quotas.network_interfaces = AwsReading::Known(0.0);
    }),
    ("a silent GitLab", "gitlab", |it| {
        it.view.host.gitlab = AwsReading::Known(Err("connection refused".to_owned()));
    }),
];

/// The trust of both roles, with one more principal.
fn trust_of(principal: &str) -> String {
    TRUST.replace("amazonaws.com\"}", &format!("amazonaws.com\", \"AWS\": \"{principal}\"}}"))
}

/// A role's own policy that lets it mount this file system.
fn mount_policy(id: &str) -> String {
    let resource = format!("arn:aws:elasticfilesystem:eu-west-1:{ACCOUNT}:file-system/{id}");
    let statement = json!({
        "Effect": "Allow",
        "Action": ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
        "Resource": resource,
    });
    json!({ "Statement": statement }).to_string()
}

#[test]
fn a_task_role_whose_own_policy_names_the_file_system_may_mount_it() {
    let mut fixture = AccountFixture::good();
    fixture.file_system().policy = AwsReading::Known(Some(EFS.replace("ci-task", "other")));
    fixture.set_policy("ci-task", &mount_policy("fs-0a1b2c3d"));
    assert_eq!(fixture.ids(CheckOutcome::Pass), IDS, "{:#?}", fixture.findings());
}

#[test]
fn the_access_points_of_projects_are_judged_and_without_any_nobody_knows() {
    let mut fixture = AccountFixture::good();
    fixture.needs.profiles[0].storage[0].separation = VolumeSeparation::Project;
    fixture.file_system().access_points = AwsReading::Known(Vec::new());
    assert_eq!(fixture.ids(CheckOutcome::Unknown), ["mount-rights"], "{:#?}", fixture.findings());
    let volume = fixture.needs.profiles[0].storage[0].clone();
    let protection = ProtectionLevel::Protected;
    let owner = FolderOwner::Project { project: "team/app".to_owned(), protection };
    let point = EfsAccessPoint {
        id: "fsap-0b2".to_owned(),
        arn: "arn:point".to_owned(),
        state: "available".to_owned(),
        shape: MadeAccessPoint::new(&volume, owner).to_make().shape,
    };
    fixture.file_system().access_points = AwsReading::Known(vec![point]);
    assert_eq!(fixture.ids(CheckOutcome::Pass), IDS, "{:#?}", fixture.findings());
    let bound = |point: &str| {
        let of_point = format!(
            r#""StringEquals": {{"elasticfilesystem:AccessPointArn": "{point}"}}, "Bool":"#
        );
        AwsReading::Known(Some(EFS.replace("\"Bool\":", &of_point)))
    };
    fixture.file_system().policy = bound("arn:point");
    assert_eq!(fixture.ids(CheckOutcome::Pass), IDS, "{:#?}", fixture.findings());
    fixture.file_system().policy = bound("arn:point-of-another-project");
    assert_eq!(fixture.ids(CheckOutcome::Fail), ["mount-rights"], "{:#?}", fixture.findings());
}

fn cluster(it: &mut AccountFixture) -> &mut ClusterFacts {
    match it.view.cluster.clusters.get_mut("ci") {
        Some(AwsReading::Known(Some(found))) => found,
        other => panic!("{other:?}"),
    }
}

fn trust(it: &mut AccountFixture, role: &str, text: &str) {
    match &mut it.role(role).role {
        AwsReading::Known(Some(role)) => role.trust = text.to_owned(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn each_break_fails_exactly_one_check() {
    let mut told = Vec::new();
    for (name, id, break_it) in FAILURES {
        let mut fixture = AccountFixture::good();
        break_it(&mut fixture);
        assert_eq!(fixture.ids(CheckOutcome::Fail), [*id], "{name}: {:#?}", fixture.findings());
        let others = fixture.ids(CheckOutcome::Unknown);
        assert!(others.is_empty(), "{name}: {others:?}");
        let findings = fixture.findings();
        let found = findings.iter().find(|(_, found)| found.is_fail()).expect("one fails");
        assert!(found.1.consequence.is_some() && found.1.fix.is_some(), "{name}: {found:?}");
        told.push(format!("{name}\n  {id}: {}", found.1.text()));
    }
    insta::assert_snapshot!(told.join("\n"));
}

/// Each flaw with the one check that warns.
const WARNINGS: &[(&str, &str, Break)] = &[
    ("the root user", "identity", |it| {
        if let AwsReading::Known(identity) = &mut it.view.access.identity {
            identity.arn = format!("arn:aws:iam::{ACCOUNT}:root");
        }
    }),
    ("a clock that is wrong", "clock", |it| it.view.host.clock_ahead_s = AwsReading::Known(-90)),
    ("no right to list tasks", "rights", |it| {
        it.set_policy("manager", &MANAGER.replace(", \"ecs:ListTasks\"", ""));
    }),
    ("any role can be passed", "pass-role", |it| {
        let any = r#""Action": "iam:PassRole", "Resource": ["*",  "#;
        it.set_policy(
            "manager",
            &MANAGER.replace(r#""Action": "iam:PassRole", "Resource": ["#, any),
        );
    }),
    ("roles of a pattern can be passed", "pass-role", |it| {
        let more = "role/ci-task\", \"arn:aws:iam::123456789012:role/ci-*\"]";
        it.set_policy("manager", &MANAGER.replace("role/ci-task\"]", more));
    }),
    ("roles can be passed to every service", "pass-role", |it| {
        let condition = ",\n   \"Condition\": {\"StringEquals\": \
                         {\"iam:PassedToService\": \"ecs-tasks.amazonaws.com\"}}";
        assert!(MANAGER.contains(condition));
        it.set_policy("manager", &MANAGER.replace(condition, ""));
    }),
    ("a manager that may run commands on hosts", "excess-rights", |it| {
        let more = "\"ecs:RegisterTaskDefinition\", \"ssm:SendCommand\"";
        it.set_policy("manager", &MANAGER.replace("\"ecs:RegisterTaskDefinition\"", more));
    }),
    ("a manager with all of ECS", "excess-rights", |it| {
        it.set_policy("manager", &MANAGER.replace("\"ecs:RegisterTaskDefinition\"", "\"ecs:*\""));
    }),
    ("a trust without an account", "execution-role", |it| {
        let text = TRUST.split(",\n  \"Condition\"").next().unwrap().to_owned() + "}}";
        trust(it, "ci-execution", &text);
    }),
    ("a trust that names the account as well", "task-role", |it| {
        trust(it, "ci-task", &trust_of("arn:aws:iam::123456789012:root"));
    }),
    ("a task role with S3", "task-role-rights", |it| {
        let text = r#"{"Statement": {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}}"#;
        it.set_policy("ci-task", text);
    }),
    ("a file system without a policy", "file-system-policy", |it| {
        it.file_system().policy = AwsReading::Known(None);
    }),
    ("a policy of EFS that lets a role past the mount targets", "file-system-policy", |it| {
        let via = "\"elasticfilesystem:AccessedViaMountTarget\": \"true\", ";
        it.file_system().policy = AwsReading::Known(Some(EFS.replace(via, "")));
    }),
    ("a policy of EFS without TLS", "file-system-policy", |it| {
        let text = EFS.replace(", \"aws:SecureTransport\": \"true\"", "");
        it.file_system().policy = AwsReading::Known(Some(text));
    }),
    ("a quota for fewer jobs", "vcpu-quota", |it| {
        it.view.quotas.on_demand_vcpu = AwsReading::Known(6.0);
    }),
    ("more questions than AWS answers", "api-rates", |it| {
        it.needs.profiles[0].limits.ecs_reads_per_second = 50;
    }),
    ("many jobs at one time", "api-rates", |it| {
        it.needs.concurrency = Some(500);
        it.view.quotas.on_demand_vcpu = AwsReading::Known(4000.0);
    }),
];

#[test]
fn each_flaw_is_a_warning_of_exactly_one_check() {
    let mut told = Vec::new();
    for (name, id, break_it) in WARNINGS {
        let mut fixture = AccountFixture::good();
        break_it(&mut fixture);
        let findings = fixture.findings();
        assert_eq!(fixture.ids(CheckOutcome::Warn), [*id], "{name}: {findings:#?}");
        assert!(fixture.ids(CheckOutcome::Fail).is_empty(), "{name}: {findings:#?}");
        let found = findings.iter().find(|(_, found)| found.outcome == CheckOutcome::Warn);
        told.push(format!("{name}\n  {id}: {}", found.expect("one warns").1.text()));
    }
    insta::assert_snapshot!(told.join("\n"));
}

/// Each reading with the checks that cannot tell without it.
const READINGS: &[(&str, &[&str], Break)] = &[
    ("identity", &["identity", "rights", "pass-role", "excess-rights"], |it| {
        it.view.access.identity = not_allowed();
    }),
    ("clock", &["clock"], |it| it.view.host.clock_ahead_s = not_allowed()),
    ("rights", &["rights"], |it| {
        let rights = it.view.access.rights.iter_mut();
        rights
            .filter(|one| one.right.action != "iam:PassRole")
            .for_each(|one| one.state = not_allowed());
    }),
    ("one right", &["rights"], |it| it.view.access.rights[0].state = not_allowed()),
    ("passing", &["pass-role"], |it| {
        let rights = it.view.access.rights.iter_mut();
        rights
            .filter(|one| one.right.action == "iam:PassRole")
            .for_each(|one| one.state = not_allowed());
    }),
    ("passing others", &["pass-role"], |it| it.view.access.passes_other_roles = not_allowed()),
    ("policies of the manager", &["excess-rights"], |it| {
        it.role("manager").policies = not_allowed()
    }),
    ("cluster", &["cluster", "capacity-providers"], |it| {
        it.view.cluster.clusters.insert("ci".to_owned(), not_allowed());
    }),
    (
        "definition",
        &[
            "task-definition",
            "execution-role",
            "task-role",
            "execution-role-rights",
            "task-role-rights",
            "pass-role",
        ],
        |it| it.view.cluster.definitions[0] = not_allowed(),
    ),
    ("execution role", &["execution-role"], |it| it.role("ci-execution").role = not_allowed()),
    ("rights of the execution role", &["execution-role-rights"], |it| {
        it.role("ci-execution").rights.iter_mut().for_each(|one| one.state = not_allowed());
    }),
    ("task role", &["task-role", "mount-rights"], |it| it.role("ci-task").role = not_allowed()),
    ("policies of the task role", &["task-role-rights"], |it| {
        it.role("ci-task").policies = not_allowed()
    }),
    ("description", &["registry-secret-key"], |it| it.secret().description = not_allowed()),
    ("value", &["registry-secret"], |it| it.secret().form = not_allowed()),
    ("key", &["registry-secret-key"], |it| it.secret().key = Some(not_allowed())),
    ("policy of the key", &["registry-secret-key"], |it| it.secret().key_policy = not_allowed()),
    ("image", &["image"], |it| {
        it.view.registry.images.values_mut().for_each(|image| *image = not_allowed());
    }),
    ("log group", &["log-group"], |it| {
        it.view.registry.log_groups.values_mut().for_each(|is| *is = not_allowed());
    }),
    ("file system", &["file-system"], |it| it.file_system().found = not_allowed()),
    ("mount targets", &["mount-targets"], |it| it.view.storage.mount_targets = not_allowed()),
    ("subnets", &["mount-targets"], |it| it.view.network.task_subnets = not_allowed()),
    ("access points", &["access-points", "mount-rights"], |it| {
        it.file_system().access_points = not_allowed()
    }),
    ("policy of EFS", &["file-system-policy", "mount-rights"], |it| {
        it.file_system().policy = not_allowed();
    }),
    ("vCPU", &["vcpu-quota"], |it| it.view.quotas.on_demand_vcpu = not_allowed()),
    ("interfaces", &["network-interface-quota"], |it| {
        it.view.quotas.network_interfaces = not_allowed()
    }),
    ("GitLab", &["gitlab"], |it| it.view.host.gitlab = not_allowed()),
];

#[test]
fn what_may_not_be_read_is_unknown_and_names_the_right() {
    for (name, ids, blank) in READINGS {
        let mut fixture = AccountFixture::good();
        blank(&mut fixture);
        let findings = fixture.findings();
        for id in *ids {
            let own: Vec<_> = findings.iter().filter(|(found, _)| found == id).collect();
            let tells = |outcome| own.iter().any(|(_, found)| found.outcome == outcome);
            assert!(tells(CheckOutcome::Unknown) && !tells(CheckOutcome::Pass), "{name}: {own:#?}");
            assert!(
                own.iter().any(|(_, found)| found.found.contains("x:Read")),
                "{name}: {own:#?}"
            );
        }
        assert!(fixture.ids(CheckOutcome::Fail).is_empty(), "{name}: {findings:#?}");
        assert!(fixture.ids(CheckOutcome::Warn).is_empty(), "{name}: {findings:#?}");
    }
}

#[test]
fn of_an_account_that_was_not_read_nothing_passes_and_nothing_fails() {
    let fixture = AccountFixture { view: AccountView::default(), ..AccountFixture::good() };
    // These two ask nothing of AWS.
    let passed = fixture.ids(CheckOutcome::Pass);
    assert_eq!(passed, ["platform-version", "api-rates"]);
    assert!(fixture.ids(CheckOutcome::Fail).is_empty());
    assert!(fixture.ids(CheckOutcome::Unknown).len() > 10);
}

#[test]
fn each_trouble_with_credentials_has_its_own_words() {
    let error = || "the words of AWS".to_owned();
    let troubles = [
        IdentityTrouble::NoCredentials { error: error() },
        IdentityTrouble::Expired { error: error() },
        IdentityTrouble::Refused { error: error() },
        IdentityTrouble::RoleRefused { role: "arn:r".to_owned(), error: error() },
        IdentityTrouble::NotReached {
            endpoint: "https://sts.eu-wset-1.amazonaws.com".to_owned(),
            error: error(),
        },
    ];
    let mut told = Vec::new();
    for trouble in troubles {
        let mut fixture = AccountFixture::good();
        fixture.view.access.identity = AwsReading::NotRead { why: "x".to_owned() };
        fixture.view.access.trouble = Some(trouble);
        let findings = fixture.findings();
        let (id, found) = &findings[0];
        assert_eq!((*id, found.outcome), ("identity", CheckOutcome::Unknown));
        told.push(format!("{}\n  {}", found.text(), found.fix.as_deref().unwrap()));
    }
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_fixed_definition_is_judged_by_what_ecs_has() {
    let definition = json!({
        "taskDefinitionArn": format!("arn:aws:ecs:eu-west-1:{ACCOUNT}:task-definition/ci:7"),
        "status": "ACTIVE", "networkMode": "awsvpc", "compatibilities": ["EC2", "FARGATE"],
        "cpu": "1024", "memory": "2048", "containerDefinitions": [{"name": "job", "image": "a/b:1"}],
    });
    let facts = DefinitionFacts::of(&definition);
    let mut fixture = AccountFixture::good();
    fixture.needs.profiles[0].image = None;
    fixture.needs.profiles[0].task_definition = Some("ci".to_owned());
    fixture.needs.profiles[0].storage.clear();
    fixture.view.cluster.definitions[0] = AwsReading::Known(Ok(facts));
    fixture.decide_rights();
    assert!(fixture.ids(CheckOutcome::Fail).is_empty(), "{:#?}", fixture.findings());
    // The size of the profile replaces that of the definition.
    fixture.needs.profiles[0].memory_mib = Some(512);
    assert_eq!(fixture.ids(CheckOutcome::Fail), ["task-definition"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Whatever cannot be read: no check fails or warns by it, and what depends on it does not pass.
    #[test]
    fn no_set_of_missing_readings_makes_a_false_pass_or_a_false_alarm(
        blanks in proptest::collection::vec(0..READINGS.len(), 1..8)
    ) {
        let mut fixture = AccountFixture::good();
        // The list of rights is empty without an identity, as it is when the account is read.
        blanks.iter().for_each(|at| (READINGS[*at].2)(&mut fixture));
        let passed = fixture.ids(CheckOutcome::Pass);
        for (name, ids, _) in blanks.iter().map(|at| &READINGS[*at]) {
            let wrong: Vec<_> = ids.iter().filter(|id| passed.contains(id)).collect();
            prop_assert!(wrong.is_empty(), "{}: {:?} pass", name, wrong);
        }
        prop_assert!(fixture.ids(CheckOutcome::Fail).is_empty());
        prop_assert!(fixture.ids(CheckOutcome::Warn).is_empty());
    }
}
