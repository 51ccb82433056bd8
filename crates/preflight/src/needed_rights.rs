//! The rights that jobs need: the one list of what the manager and the execution role call, with the resource
//! and the conditions of each call.
//!
//! Whether they are allowed is asked elsewhere.
//!
//! Source of actions, resources and condition keys: AWS Service Authorization Reference, the pages of ECS,
//! IAM, Secrets Manager, Systems Manager, KMS, ECR, CloudWatch Logs, EFS and EC2.

use fargate_aws::CallerIdentity;
use fargate_config::{DefinitionSource, JobProfile, PublicIp, VolumeAccess};
use fargate_model::ecr_host::EcrHost;
use fargate_model::region::AwsPartition;
use fargate_registry::ImageReference;

use crate::views::{DefinitionFacts, LogGroupUse};

/// The service that assumes execution roles and task roles.
pub(crate) const TASKS_SERVICE: &str = "ecs-tasks.amazonaws.com";
/// The id of a task that there never is, for questions about any task.
pub(crate) const NO_TASK: &str = "00000000000000000000000000000000";

/// One right.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NeededRight {
    /// The action, for example `ecs:RunTask`.
    pub action: String,
    /// The ARN of what it acts on, or `*`.
    pub resource: String,
    /// The keys of conditions that AWS gives with the call.
    pub context: Vec<(String, String)>,
    /// What is missing without it. `None` if no job runs without it.
    pub only_for: Option<&'static str>,
}

/// Where the jobs are: what ARNs are made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AccountPlace {
    /// The Region.
    pub region: String,
    /// The account.
    pub account: String,
}

/// What is known of a secret without its value.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DescribedSecret {
    /// Its ARN.
    pub arn: Option<String>,
    /// The key that encrypts it, if it is one of the account's own.
    pub key: Option<String>,
}

/// Tells what is known of a secret that is named by its name or ARN.
pub(crate) type SecretLookup<'a> = &'a dyn Fn(&str) -> DescribedSecret;

impl NeededRight {
    pub(crate) fn new(action: &str, resource: impl Into<String>) -> Self {
        let (action, resource) = (action.to_owned(), resource.into());
        Self { action, resource, context: Vec::new(), only_for: None }
    }

    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.context.push((key.to_owned(), value.to_owned()));
        self
    }

    fn only_for(mut self, what: &'static str) -> Self {
        self.only_for = Some(what);
        self
    }

    /// The statement of a policy that gives it.
    #[must_use]
    pub fn statement(&self) -> String {
        let (action, resource) = (&self.action, &self.resource);
        format!(r#"{{"Effect":"Allow","Action":"{action}","Resource":"{resource}"}}"#)
    }
}

impl AccountPlace {
    pub fn new(region: &str, identity: &CallerIdentity) -> Self {
        Self { region: region.to_owned(), account: identity.account.clone() }
    }

    /// An ARN of a service of this account in this Region, or in the one that is given.
    pub fn arn(&self, service: &str, region: Option<&str>, resource: &str) -> String {
        let partition = AwsPartition::of(&self.region).name();
        let region = region.unwrap_or(&self.region);
        format!("arn:{partition}:{service}:{region}:{}:{resource}", self.account)
    }

    /// The ARN of a role that is named by its name or its ARN.
    pub fn role_arn(&self, role: &str) -> String {
        if role.starts_with("arn:") {
            return role.to_owned();
        }
        let partition = AwsPartition::of(&self.region).name();
        format!("arn:{partition}:iam::{}:role/{role}", self.account)
    }

    /// The account in a role's ARN, if it is another one than this. A name is one of this account.
    pub fn other_account<'a>(&self, role: &'a str) -> Option<&'a str> {
        let account = role.strip_prefix("arn:")?.split(':').nth(3)?;
        (account != self.account).then_some(account)
    }

    /// The ARN of a secret that is named by its name or its ARN. Secrets Manager adds six characters to a name.
    fn secret_arn(&self, secret: &str) -> String {
        match secret.starts_with("arn:") {
            true => secret.splitn(8, ':').take(7).collect::<Vec<_>>().join(":"),
            false => self.arn("secretsmanager", None, &format!("secret:{secret}-AbCdEf")),
        }
    }
}

/// The name of a cluster in its name or ARN.
pub(crate) fn cluster_name(cluster: &str) -> &str {
    cluster.rsplit('/').next().unwrap_or(cluster)
}

/// What the manager calls for a profile, except `iam:PassRole`. `facts` is its task definition, as far as it is
/// known; `known` tells of secrets.
pub(crate) fn manager_rights(
    profile: &JobProfile,
    facts: Option<&DefinitionFacts>,
    place: &AccountPlace,
    known: SecretLookup<'_>,
) -> Vec<NeededRight> {
    let cluster = cluster_name(&profile.cluster);
    let cluster_arn = match profile.cluster.starts_with("arn:") {
        true => profile.cluster.clone(),
        false => place.arn("ecs", None, &format!("cluster/{cluster}")),
    };
    let definition = definition_arn(profile, facts, place);
    let task = place.arn("ecs", None, &format!("task/{cluster}/{NO_TASK}"));
    let in_cluster = |action: &str, resource: &str| {
        NeededRight::new(action, resource).with("ecs:cluster", &cluster_arn)
    };
    let mut rights = vec![
        in_cluster("ecs:RunTask", &definition),
        in_cluster("ecs:DescribeTasks", &task),
        in_cluster("ecs:StopTask", &task),
        in_cluster(
            "ecs:ListTasks",
            &place.arn("ecs", None, &format!("container-instance/{cluster}/*")),
        )
        .only_for("finding tasks whose record was lost"),
        in_cluster("ecs:TagResource", &task)
            .with("ecs:CreateAction", "RunTask")
            .only_for("the tags of tasks, by which a task that nobody looks after is found"),
    ];
    rights.extend(definition_rights(profile, &definition));
    rights.extend(facts.into_iter().flat_map(|facts| &facts.log_groups).map(|group| {
        NeededRight::new("logs:GetLogEvents", stream_arn(group, place))
            .only_for("the last lines of a container that failed")
    }));
    if profile.public_ip == PublicIp::Dialled {
        rights.push(NeededRight::new("ec2:DescribeNetworkInterfaces", "*"));
    }
    rights.extend(image_rights(profile, place, known));
    let is_made = |access: VolumeAccess<'_>| matches!(access, VolumeAccess::Made(_));
    for volume in profile.storage.iter().filter(|volume| is_made(volume.access())) {
        let file_system = format!("file-system/{}", volume.file_system);
        let arn = place.arn("elasticfilesystem", None, &file_system);
        rights.push(NeededRight::new("elasticfilesystem:DescribeAccessPoints", arn));
    }
    rights
}

fn definition_arn(
    profile: &JobProfile,
    facts: Option<&DefinitionFacts>,
    place: &AccountPlace,
) -> String {
    let named = facts.map(|facts| facts.name.as_str()).filter(|name| name.starts_with("arn:"));
    let named = match profile.definition() {
        DefinitionSource::Fixed(name) => named.unwrap_or(name),
        DefinitionSource::Derived(_) => &profile.task_definition_family,
    };
    match named {
        arn if arn.starts_with("arn:") => arn.to_owned(),
        name if name.contains(':') => place.arn("ecs", None, &format!("task-definition/{name}")),
        name => place.arn("ecs", None, &format!("task-definition/{name}:1")),
    }
}

fn definition_rights(profile: &JobProfile, definition: &str) -> Vec<NeededRight> {
    let describe = NeededRight::new("ecs:DescribeTaskDefinition", "*");
    match profile.definition() {
        DefinitionSource::Fixed(_) => {
            vec![describe.only_for("the last lines of a container that failed")]
        }
        DefinitionSource::Derived(_) => vec![
            describe,
            NeededRight::new("ecs:ListTaskDefinitions", "*"),
            NeededRight::new("ecs:RegisterTaskDefinition", definition),
            NeededRight::new("ecs:TagResource", definition)
                .with("ecs:CreateAction", "RegisterTaskDefinition"),
        ],
    }
}

/// What the driver needs to ask the registry for a digest.
fn image_rights(
    profile: &JobProfile,
    place: &AccountPlace,
    known: SecretLookup<'_>,
) -> Vec<NeededRight> {
    let image = profile.image.as_deref().and_then(|text| text.parse::<ImageReference>().ok());
    let is_asked = profile.pin_image && image.is_some_and(|image| !image.is_of_ecr());
    match profile.registry_secret.as_deref().filter(|_| is_asked) {
        Some(secret) => secret_rights(secret, place, known),
        None => Vec::new(),
    }
}

/// What reading a secret needs.
fn secret_rights(secret: &str, place: &AccountPlace, known: SecretLookup<'_>) -> Vec<NeededRight> {
    let DescribedSecret { arn, key } = known(secret);
    let arn = arn.unwrap_or_else(|| place.secret_arn(secret));
    let mut rights = vec![NeededRight::new("secretsmanager:GetSecretValue", arn)];
    if let Some(key) = key {
        let service = format!("secretsmanager.{}.amazonaws.com", place.region);
        rights.push(NeededRight::new("kms:Decrypt", key).with("kms:ViaService", &service));
    }
    rights
}

fn stream_arn(group: &LogGroupUse, place: &AccountPlace) -> String {
    let resource = format!("log-group:{}:log-stream:fargate-runner/job/{NO_TASK}", group.name);
    place.arn("logs", group.region.as_deref(), &resource)
}

/// The rights to pass the two roles of a definition.
pub(crate) fn pass_rights(facts: &DefinitionFacts, place: &AccountPlace) -> Vec<NeededRight> {
    let roles = facts.execution_role.iter().chain(&facts.task_role);
    roles.map(|role| pass_right(&place.role_arn(role))).collect()
}

/// The right to pass one role to a task.
pub(crate) fn pass_right(role_arn: &str) -> NeededRight {
    NeededRight::new("iam:PassRole", role_arn).with("iam:PassedToService", TASKS_SERVICE)
}

/// What ECS calls by the execution role to prepare a task of this definition.
pub(crate) fn execution_rights(
    facts: &DefinitionFacts,
    place: &AccountPlace,
    known: SecretLookup<'_>,
) -> Vec<NeededRight> {
    let mut rights = Vec::new();
    for secret in &facts.registry_secrets {
        rights.extend(secret_rights(secret, place, known));
    }
    for secret in &facts.secrets {
        match secret.contains(":secretsmanager:") {
            true => rights.extend(secret_rights(secret, place, known)),
            false => rights.push(parameter_right(secret, place)),
        }
    }
    for image in &facts.images {
        rights.extend(ecr_rights(image));
    }
    for group in &facts.log_groups {
        let stream = stream_arn(group, place);
        rights.push(NeededRight::new("logs:CreateLogStream", stream.clone()));
        rights.push(NeededRight::new("logs:PutLogEvents", stream));
        if group.is_made {
            let arn =
                place.arn("logs", group.region.as_deref(), &format!("log-group:{}", group.name));
            let create = NeededRight::new("logs:CreateLogGroup", arn);
            rights.push(create.only_for("a log group that is not there yet"));
        }
    }
    rights.sort();
    rights.dedup();
    rights
}

fn parameter_right(parameter: &str, place: &AccountPlace) -> NeededRight {
    let arn = match parameter.starts_with("arn:") {
        true => parameter.to_owned(),
        false => {
            place.arn("ssm", None, &format!("parameter/{}", parameter.trim_start_matches('/')))
        }
    };
    NeededRight::new("ssm:GetParameters", arn)
}

/// What pulling an image of ECR needs; nothing for other images.
fn ecr_rights(image: &str) -> Vec<NeededRight> {
    let Ok(image) = image.parse::<ImageReference>() else { return Vec::new() };
    let Some(EcrHost { account, region }) = image.ecr_host() else { return Vec::new() };
    let partition = AwsPartition::of(region).name();
    let repository =
        format!("arn:{partition}:ecr:{region}:{account}:repository/{}", image.repository());
    let of_repository = ["BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer"];
    let mut rights = vec![NeededRight::new("ecr:GetAuthorizationToken", "*")];
    rights.extend(
        of_repository.map(|action| NeededRight::new(&format!("ecr:{action}"), repository.clone())),
    );
    rights
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> AccountPlace {
        AccountPlace { region: "eu-west-1".to_owned(), account: "123456789012".to_owned() }
    }

    #[test]
    fn the_execution_role_needs_what_its_definition_uses() {
        let facts = DefinitionFacts {
            images: vec!["123456789012.dkr.ecr.eu-west-1.amazonaws.com/ci/job:1".to_owned()],
            registry_secrets: vec!["ci/registry".to_owned()],
            secrets: vec![
                "/ci/npm".to_owned(),
                "arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/x-AbCdEf:key::".to_owned(),
            ],
            log_groups: vec![LogGroupUse { name: "/ci".to_owned(), region: None, is_made: false }],
            ..DefinitionFacts::default()
        };
        let key = |secret: &str| DescribedSecret {
            arn: None,
            key: (secret == "ci/registry").then(|| "arn:key".to_owned()),
        };
        let rights = execution_rights(&facts, &place(), &key);
        let lines: Vec<String> =
            rights.iter().map(|right| format!("{} {}", right.action, right.resource)).collect();
        insta::assert_snapshot!(lines.join("\n"));
        assert!(execution_rights(&DefinitionFacts::default(), &place(), &key).is_empty());
    }

    #[test]
    fn a_role_of_another_account_is_known_by_its_arn() {
        let other = "arn:aws:iam::210987654321:role/ci/task";
        assert_eq!(place().other_account(other), Some("210987654321"));
        assert_eq!(place().other_account("arn:aws:iam::123456789012:role/ci-task"), None);
        assert_eq!(place().other_account("ci-task"), None);
    }

    #[test]
    fn a_dual_stack_name_of_ecr_names_the_same_repository() {
        let of = |host: &str| ecr_rights(&format!("{host}/ci/job:1"));
        let dual_stack = of("123456789012.dkr-ecr.eu-west-1.on.aws");
        assert_eq!(dual_stack, of("123456789012.dkr.ecr.eu-west-1.amazonaws.com"));
        let arn = "arn:aws:ecr:eu-west-1:123456789012:repository/ci/job";
        assert!(dual_stack.iter().any(|right| right.resource == arn), "{dual_stack:?}");
    }

    #[test]
    fn roles_are_passed_by_their_arns() {
        let facts = DefinitionFacts {
            execution_role: Some("ci-execution".to_owned()),
            task_role: Some("arn:aws:iam::123456789012:role/ci/task".to_owned()),
            ..DefinitionFacts::default()
        };
        let arns: Vec<String> =
            pass_rights(&facts, &place()).into_iter().map(|right| right.resource).collect();
        assert_eq!(
            arns,
            [
                "arn:aws:iam::123456789012:role/ci-execution",
                "arn:aws:iam::123456789012:role/ci/task"
            ]
        );
    }
}
