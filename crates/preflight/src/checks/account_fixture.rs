//! A good account for tests of the checks, and the few things that its breaks change. Rights follow from its
//! policies, so that a test changes a policy and not an answer.

use std::collections::BTreeMap;

use fargate_aws::{
    AccessPointShape, CallerIdentity, EfsAccessPoint, EfsFileSystem, IamRole, KmsKeyFacts,
    SecretDescription, VpcSubnet,
};
use fargate_config::UnknownKeyPolicy;
use fargate_efs::{FolderOwner, MadeAccessPoint};
use fargate_status_answers::CheckOutcome;
use fargate_task_definition::RenderedDefinition;

use crate::account_view::AccountView;
use crate::check_catalogue::{CATALOGUE, CheckInput};
use crate::check_finding::CheckFinding;
use crate::job_needs::JobNeeds;
use crate::needed_rights::{AccountPlace, NeededRight, pass_right};
use crate::read::read_access::{AccessBasis, OTHER_ROLE, rights_by_role, rights_of_manager};
use crate::read::read_roles::by_own_policies;
use crate::reading::AwsReading;
use crate::views::*;

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const KEY: &str = "arn:aws:kms:eu-west-1:123456789012:key/k-1";
pub(crate) const SECRET: &str =
    "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/registry-AbCdEf";

/// The ids of the checks that are not about the network.
pub(crate) const IDS: [&str; 26] = [
    "identity",
    "clock",
    "rights",
    "pass-role",
    "excess-rights",
    "cluster",
    "capacity-providers",
    "platform-version",
    "task-definition",
    "execution-role",
    "execution-role-rights",
    "task-role",
    "task-role-rights",
    "registry-secret",
    "registry-secret-key",
    "image",
    "log-group",
    "file-system",
    "mount-targets",
    "access-points",
    "file-system-policy",
    "mount-rights",
    "vcpu-quota",
    "network-interface-quota",
    "api-rates",
    "gitlab",
];

/// What jobs need, and what there is.
#[derive(Clone)]
pub(crate) struct AccountFixture {
    pub needs: JobNeeds,
    pub view: AccountView,
}

/// The policy of the manager.
pub(crate) const MANAGER: &str = r#"{"Statement": [
  {"Effect": "Allow", "Action": ["ecs:RunTask", "ecs:DescribeTasks", "ecs:StopTask", "ecs:ListTasks"],
   "Resource": "*", "Condition": {"ArnEquals": {"ecs:cluster": "arn:aws:ecs:eu-west-1:123456789012:cluster/ci"}}},
  {"Effect": "Allow", "Action": ["ecs:RegisterTaskDefinition", "ecs:DescribeTaskDefinition",
   "ecs:ListTaskDefinitions", "ecs:TagResource", "elasticfilesystem:DescribeAccessPoints"], "Resource": "*"},
  {"Effect": "Allow", "Action": "logs:GetLogEvents", "Resource": "arn:aws:logs:*:*:log-group:/ci/tasks:*"},
  {"Effect": "Allow", "Action": ["secretsmanager:GetSecretValue", "kms:Decrypt"],
   "Resource": ["arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/registry-*",
   "arn:aws:kms:eu-west-1:123456789012:key/k-1"]},
  {"Effect": "Allow", "Action": "iam:PassRole", "Resource": ["arn:aws:iam::123456789012:role/ci-execution",
   "arn:aws:iam::123456789012:role/ci-task"],
   "Condition": {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}}]}"#;
/// The policy of the execution role.
pub(crate) const EXECUTION: &str = r#"{"Statement": [
  {"Effect": "Allow", "Action": ["secretsmanager:GetSecretValue"],
   "Resource": "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/registry-*"},
  {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "arn:aws:kms:eu-west-1:123456789012:key/k-1"},
  {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"}]}"#;
/// The trust of both roles.
pub(crate) const TRUST: &str = r#"{"Statement": {"Effect": "Allow", "Principal": {"Service":
  "ecs-tasks.amazonaws.com"}, "Action": "sts:AssumeRole",
  "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}}}}"#;
/// The policy of the file system.
pub(crate) const EFS: &str = r#"{"Statement": [{"Effect": "Allow",
  "Principal": {"AWS": "arn:aws:iam::123456789012:role/ci-task"},
  "Action": ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
  "Condition": {"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true", "aws:SecureTransport": "true"}}}]}"#;
/// The policy of the key.
pub(crate) const KEY_POLICY: &str = r#"{"Statement": {"Effect": "Allow", "Action": "kms:*", "Resource": "*",
  "Principal": {"AWS": "arn:aws:iam::123456789012:root"}}}"#;

const CONFIG: &str = r#"
config_version = 1
[defaults]
cluster = "ci"
region = "eu-west-1"
subnets = ["subnet-0a1", "subnet-0b2"]
security_groups = ["sg-0a1"]
image = "registry.example.com/ci/job:1"
registry_secret = "ci/registry"
execution_role = "arn:aws:iam::123456789012:role/ci-execution"
task_role = "arn:aws:iam::123456789012:role/ci-task"
log_group = "/ci/tasks"
volumes = ["cache"]
[volume.cache]
file_system = "fs-0a1b2c3d"
path = "/cache"
"#;

/// The needs of a configuration whose `[defaults]` begin with these lines.
pub(crate) fn needs(more: &str) -> JobNeeds {
    let text = CONFIG.replace("[defaults]\n", &format!("[defaults]\n{more}"));
    let path = std::path::Path::new("config.toml");
    let loaded =
        fargate_config::parse(&text, path, UnknownKeyPolicy::Warn).expect("the file is right");
    let mut needs = JobNeeds::of(&loaded.config, None).unwrap().remove(0);
    needs.concurrency = Some(10);
    needs.gitlab_url = Some("https://gitlab.example.com".to_owned());
    needs.pull = true;
    needs
}

fn role(name: &str, policies: &[&str]) -> RoleView {
    let arn = format!("arn:aws:iam::{ACCOUNT}:role/{name}");
    let policy = |text: &&str| RolePolicyText { name: "own".to_owned(), text: (*text).to_owned() };
    RoleView {
        name: arn.clone(),
        role: AwsReading::Known(Some(IamRole {
            name: name.to_owned(),
            arn,
            trust: TRUST.to_owned(),
            boundary: None,
        })),
        policies: AwsReading::Known(policies.iter().map(policy).collect()),
        rights: Vec::new(),
    }
}

impl AccountFixture {
    /// The good account.
    pub fn good() -> Self {
        Self::with("")
    }

    /// The good account for a configuration with further lines.
    pub fn with(more: &str) -> Self {
        let needs = needs(more);
        let profile = &needs.profiles[0];
        let rendered = RenderedDefinition::of(profile, "eu-west-1").unwrap();
        let facts = DefinitionFacts::of(rendered.input());
        let groups = facts.log_groups.iter().cloned();
        let registry = RegistryView {
            secrets: BTreeMap::from([("ci/registry".to_owned(), secret())]),
            job_secrets: BTreeMap::new(),
            log_groups: groups.map(|group| (group, AwsReading::Known(true))).collect(),
            images: BTreeMap::from([(
                ("registry.example.com/ci/job:1".to_owned(), "x86_64".to_owned()),
                AwsReading::Known(ImageAnswer::Found {
                    digest: "sha256:0".to_owned(),
                    architectures: vec!["linux/amd64".to_owned()],
                }),
            )]),
        };
        let mut view = AccountView {
            cluster: cluster(facts),
            storage: storage(&needs),
            registry,
            quotas: QuotaView {
                on_demand_vcpu: AwsReading::Known(64.0),
                spot_vcpu: AwsReading::Known(64.0),
                network_interfaces: AwsReading::Known(5000.0),
            },
            host: HostView {
                clock_ahead_s: AwsReading::Known(0),
                gitlab: AwsReading::Known(Ok(GitlabAnswer { status: 302, took_ms: 20 })),
            },
            ..AccountView::default()
        };
        view.access = access();
        give_zones(&mut view);
        let mut fixture = Self { needs, view };
        fixture.decide_rights();
        fixture
    }

    /// Lets the policies of the roles decide about rights anew.
    pub fn decide_rights(&mut self) {
        let place = AccountPlace { region: "eu-west-1".to_owned(), account: ACCOUNT.to_owned() };
        let Self { needs, view } = self;
        let basis = AccessBasis { needs, cluster: &view.cluster, registry: &view.registry };
        let decided = |role: &RoleView, right: &NeededRight| match by_own_policies(role, right) {
            Some(state) => AwsReading::Known(state),
            None => AwsReading::NotAllowed {
                right: "iam:SimulatePrincipalPolicy".to_owned(),
                error: "no".to_owned(),
            },
        };
        if let Some(manager) = &view.access.manager {
            let rights = rights_of_manager(basis, &place);
            let answer =
                |right: NeededRight| RightAnswer { state: decided(manager, &right), right };
            view.access.rights = rights.into_iter().map(answer).collect();
            view.access.passes_other_roles =
                decided(manager, &pass_right(&place.role_arn(OTHER_ROLE)));
        }
        for role in &mut view.access.roles {
            let rights = rights_by_role(role, basis, &place);
            let answers = rights.into_iter();
            role.rights =
                answers.map(|right| RightAnswer { state: decided(role, &right), right }).collect();
        }
    }

    /// Sets the policy of a role: `manager`, `ci-execution` or `ci-task`.
    pub fn set_policy(&mut self, name: &str, text: &str) {
        let policy = RolePolicyText { name: "own".to_owned(), text: text.to_owned() };
        self.role(name).policies = AwsReading::Known(vec![policy]);
        self.decide_rights();
    }

    /// A role: `manager`, `ci-execution` or `ci-task`.
    pub fn role(&mut self, name: &str) -> &mut RoleView {
        let access = &mut self.view.access;
        match name {
            "manager" => access.manager.as_mut().unwrap(),
            name => access.roles.iter_mut().find(|role| role.name.ends_with(name)).unwrap(),
        }
    }

    /// The definition of the only profile.
    pub fn definition(&mut self) -> &mut DefinitionFacts {
        match &mut self.view.cluster.definitions[0] {
            AwsReading::Known(Ok(facts)) => facts,
            other => panic!("{other:?}"),
        }
    }

    /// The only registry secret.
    pub fn secret(&mut self) -> &mut RegistrySecretView {
        self.view.registry.secrets.values_mut().next().unwrap()
    }

    /// The only file system.
    pub fn file_system(&mut self) -> &mut FileSystemView {
        self.view.storage.file_systems.values_mut().next().unwrap()
    }

    /// What the checks of this module find, each with its id.
    pub fn findings(&self) -> Vec<(&'static str, CheckFinding)> {
        let input = CheckInput { needs: &self.needs, view: &self.view };
        let own = CATALOGUE.iter().filter(|entry| IDS.contains(&entry.id));
        own.flat_map(|entry| (entry.judge)(input).into_iter().map(|found| (entry.id, found)))
            .collect()
    }

    /// The ids with this outcome, each once.
    pub fn ids(&self, outcome: CheckOutcome) -> Vec<&'static str> {
        let mut ids: Vec<&'static str> = self
            .findings()
            .into_iter()
            .filter(|(_, found)| found.outcome == outcome)
            .map(|(id, _)| id)
            .collect();
        ids.dedup();
        ids
    }
}

fn access() -> AccessView {
    let mut manager = role("ci-manager", &[MANAGER]);
    manager.name = "ci-manager".to_owned();
    AccessView {
        identity: AwsReading::Known(CallerIdentity {
            account: ACCOUNT.to_owned(),
            arn: format!("arn:aws:sts::{ACCOUNT}:assumed-role/ci-manager/i-0a1"),
        }),
        region: "eu-west-1".to_owned(),
        manager: Some(manager),
        roles: vec![role("ci-execution", &[EXECUTION]), role("ci-task", &[])],
        ..AccessView::default()
    }
}

fn cluster(facts: DefinitionFacts) -> ClusterView {
    let found = ClusterFacts {
        arn: format!("arn:aws:ecs:eu-west-1:{ACCOUNT}:cluster/ci"),
        status: "ACTIVE".to_owned(),
        providers: vec!["FARGATE".to_owned(), "FARGATE_SPOT".to_owned()],
        default_strategy: vec!["FARGATE".to_owned()],
    };
    ClusterView {
        clusters: BTreeMap::from([("ci".to_owned(), AwsReading::Known(Some(found)))]),
        definitions: vec![AwsReading::Known(Ok(facts))],
        definition_uses: BTreeMap::new(),
    }
}

fn secret() -> RegistrySecretView {
    RegistrySecretView {
        description: AwsReading::Known(Some(SecretDescription {
            arn: SECRET.to_owned(),
            name: "ci/registry".to_owned(),
            changed_at: None,
            deleted_at: None,
            version: None,
            kms_key: Some(KEY.to_owned()),
        })),
        form: AwsReading::Known(SecretForm::Login { user: "ci".to_owned() }),
        policy: AwsReading::Known(None),
        key: Some(AwsReading::Known(Some(KmsKeyFacts {
            arn: KEY.to_owned(),
            state: "Enabled".to_owned(),
            is_of_aws: false,
        }))),
        key_policy: AwsReading::Known(KEY_POLICY.to_owned()),
    }
}

fn storage(needs: &JobNeeds) -> StorageView {
    let id = "fs-0a1b2c3d".to_owned();
    let volume = &needs.profiles[0].storage[0];
    let AccessPointShape { file_system, root, user, further_groups, tags } =
        MadeAccessPoint::new(volume, FolderOwner::Everyone).to_make().shape;
    let point = EfsAccessPoint {
        id: "fsap-0a1b2c3d".to_owned(),
        arn: "arn:aws:elasticfilesystem:eu-west-1:123456789012:access-point/fsap-0a1b2c3d"
            .to_owned(),
        state: "available".to_owned(),
        shape: AccessPointShape { file_system, root, user, further_groups, tags },
    };
    let found = EfsFileSystem {
        id: id.clone(),
        arn: format!("arn:aws:elasticfilesystem:eu-west-1:{ACCOUNT}:file-system/{id}"),
        owner: ACCOUNT.to_owned(),
        state: "available".to_owned(),
        is_encrypted: true,
        single_zone: None,
    };
    let target = |subnet: &str, zone: &str| MountTargetPlace {
        file_system: id.clone(),
        subnet: subnet.to_owned(),
        zone: zone.to_owned(),
        vpc: Some("vpc-0a1".to_owned()),
        address: None,
        groups: vec!["sg-0e1".to_owned()],
    };
    StorageView {
        mount_targets: AwsReading::Known(vec![
            target("subnet-0a1", "eu-west-1a"),
            target("subnet-0b2", "eu-west-1b"),
        ]),
        file_systems: BTreeMap::from([(
            id.clone(),
            FileSystemView {
                found: AwsReading::Known(Some(found)),
                access_points: AwsReading::Known(vec![point]),
                policy: AwsReading::Known(Some(EFS.to_owned())),
            },
        )]),
    }
}

/// The zones of the subnets, as the network's part of the view has them.
fn give_zones(view: &mut AccountView) {
    let place = |subnet: &str, zone: &str| VpcSubnet {
        id: subnet.to_owned(),
        vpc: "vpc-0a1".to_owned(),
        zone: zone.to_owned(),
        cidr: None,
        ipv6_cidr: None,
        free_addresses: 100,
        state: "available".to_owned(),
    };
    view.network.task_subnets = AwsReading::Known(vec![
        place("subnet-0a1", "eu-west-1a"),
        place("subnet-0b2", "eu-west-1b"),
    ]);
}
