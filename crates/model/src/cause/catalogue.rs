//! The entries. Sources of the texts that they are recognised by stand beside the recognition,
//! in the driver.

use serde::{Deserialize, Serialize};

use super::{CatalogueEntry, ResponsibleParty, RetryDecision};

/// A cause, known by its slug wherever it is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each variant's headline says what it is")]
pub enum FailureCause {
    #[serde(rename = "paused")]
    Paused,
    #[serde(rename = "draining")]
    Draining,
    #[serde(rename = "no-capacity")]
    NoCapacity,
    #[serde(rename = "quota-vcpu")]
    QuotaVcpu,
    #[serde(rename = "throttled")]
    Throttled,
    #[serde(rename = "subnet-full")]
    SubnetFull,
    #[serde(rename = "aws-unreachable")]
    AwsUnreachable,
    #[serde(rename = "eni-timeout")]
    EniTimeout,
    #[serde(rename = "interface-quota")]
    InterfaceQuota,
    #[serde(rename = "interface-refused")]
    InterfaceRefused,
    #[serde(rename = "aws-internal")]
    AwsInternal,
    #[serde(rename = "image-not-found")]
    ImageNotFound,
    #[serde(rename = "image-denied")]
    ImageDenied,
    #[serde(rename = "image-arch")]
    ImageArch,
    #[serde(rename = "registry-limit")]
    RegistryLimit,
    #[serde(rename = "registry-no-route")]
    RegistryNoRoute,
    #[serde(rename = "registry-blob")]
    RegistryBlob,
    #[serde(rename = "registry-failed")]
    RegistryFailed,
    #[serde(rename = "registry-untrusted")]
    RegistryUntrusted,
    #[serde(rename = "ecr-unreachable")]
    EcrUnreachable,
    #[serde(rename = "ecr-denied")]
    EcrDenied,
    #[serde(rename = "start-unreachable")]
    StartUnreachable,
    #[serde(rename = "image-disk")]
    ImageDisk,
    #[serde(rename = "secret-unreachable")]
    SecretUnreachable,
    #[serde(rename = "secret-denied")]
    SecretDenied,
    #[serde(rename = "secret-missing")]
    SecretMissing,
    #[serde(rename = "secret-shape")]
    SecretShape,
    #[serde(rename = "key-denied")]
    KeyDenied,
    #[serde(rename = "parameter-unreachable")]
    ParameterUnreachable,
    #[serde(rename = "parameter-denied")]
    ParameterDenied,
    #[serde(rename = "parameter-missing")]
    ParameterMissing,
    #[serde(rename = "log-group")]
    LogGroup,
    #[serde(rename = "log-denied")]
    LogDenied,
    #[serde(rename = "log-unreachable")]
    LogUnreachable,
    #[serde(rename = "log-driver")]
    LogDriver,
    #[serde(rename = "env-file-unreachable")]
    EnvFileUnreachable,
    #[serde(rename = "env-file-denied")]
    EnvFileDenied,
    #[serde(rename = "env-file-missing")]
    EnvFileMissing,
    #[serde(rename = "efs-name")]
    EfsName,
    #[serde(rename = "efs-blocked")]
    EfsBlocked,
    #[serde(rename = "efs-denied")]
    EfsDenied,
    #[serde(rename = "efs-path")]
    EfsPath,
    #[serde(rename = "container-start")]
    ContainerStart,
    #[serde(rename = "container-slow")]
    ContainerSlow,
    #[serde(rename = "volume-failed")]
    VolumeFailed,
    #[serde(rename = "task-size")]
    TaskSize,
    #[serde(rename = "task-def-missing")]
    TaskDefMissing,
    #[serde(rename = "container-missing")]
    ContainerMissing,
    #[serde(rename = "cluster-missing")]
    ClusterMissing,
    #[serde(rename = "spot-off")]
    SpotOff,
    #[serde(rename = "network-mismatch")]
    NetworkMismatch,
    #[serde(rename = "request-refused")]
    RequestRefused,
    #[serde(rename = "role-unassumed")]
    RoleUnassumed,
    #[serde(rename = "service-role-missing")]
    ServiceRoleMissing,
    #[serde(rename = "not-allowed")]
    NotAllowed,
    #[serde(rename = "credentials")]
    Credentials,
    #[serde(rename = "credentials-missing")]
    CredentialsMissing,
    #[serde(rename = "aws-profile")]
    AwsProfile,
    #[serde(rename = "endpoint-unusable")]
    EndpointUnusable,
    #[serde(rename = "answer-unreadable")]
    AnswerUnreadable,
    #[serde(rename = "region-missing")]
    RegionMissing,
    #[serde(rename = "region-unusable")]
    RegionUnusable,
    #[serde(rename = "ca-bundle")]
    CaBundle,
    #[serde(rename = "proxy-unusable")]
    ProxyUnusable,
    #[serde(rename = "proxy-refused")]
    ProxyRefused,
    #[serde(rename = "proxy-unreachable")]
    ProxyUnreachable,
    #[serde(rename = "certificate-untrusted")]
    CertificateUntrusted,
    #[serde(rename = "role-refused")]
    RoleRefused,
    #[serde(rename = "no-public-address")]
    NoPublicAddress,
    #[serde(rename = "address-missing")]
    AddressMissing,
    #[serde(rename = "clock")]
    Clock,
    #[serde(rename = "account-blocked")]
    AccountBlocked,
    #[serde(rename = "agent-blocked")]
    AgentBlocked,
    #[serde(rename = "agent-refused")]
    AgentRefused,
    #[serde(rename = "agent-exited")]
    AgentExited,
    #[serde(rename = "agent-settings")]
    AgentSettings,
    #[serde(rename = "agent-version")]
    AgentVersion,
    #[serde(rename = "login-refused")]
    LoginRefused,
    /// A stock SSH server does not let our key in.
    #[serde(rename = "key-refused")]
    KeyRefused,
    /// A stock SSH server takes no key of our kind.
    #[serde(rename = "key-kind-refused")]
    KeyKindRefused,
    #[serde(rename = "handshake")]
    Handshake,
    #[serde(rename = "wrong-host")]
    WrongHost,
    #[serde(rename = "start-timeout")]
    StartTimeout,
    #[serde(rename = "connection-lost")]
    ConnectionLost,
    #[serde(rename = "login-shell")]
    LoginShell,
    #[serde(rename = "shell-missing")]
    ShellMissing,
    #[serde(rename = "out-of-memory")]
    OutOfMemory,
    #[serde(rename = "spot")]
    Spot,
    #[serde(rename = "host-retired")]
    HostRetired,
    #[serde(rename = "stopped-by")]
    StoppedBy,
    #[serde(rename = "stopped-by-cleanup")]
    StoppedByCleanup,
    #[serde(rename = "cancelled")]
    Cancelled,
    #[serde(rename = "max-lifetime")]
    MaxLifetime,
    #[serde(rename = "idle")]
    Idle,
    #[serde(rename = "state-full")]
    StateFull,
    #[serde(rename = "state-damaged")]
    StateDamaged,
    #[serde(rename = "state-distrusted")]
    StateDistrusted,
    #[serde(rename = "host-refused")]
    HostRefused,
    #[serde(rename = "task-busy")]
    TaskBusy,
    #[serde(rename = "script-too-large")]
    ScriptTooLarge,
    #[serde(rename = "state-missing")]
    StateMissing,
    #[serde(rename = "already-prepared")]
    AlreadyPrepared,
    #[serde(rename = "environment-ended")]
    EnvironmentEnded,
    #[serde(rename = "container-ended")]
    ContainerEnded,
    #[serde(rename = "superseded")]
    Superseded,
    #[serde(rename = "expired")]
    Expired,
    #[serde(rename = "output-closed")]
    Output,
    #[serde(rename = "unknown")]
    Unknown,
}

impl FailureCause {
    /// Every cause, in the order of the catalogue.
    pub const ALL: &[Self] = &[
        Self::Paused,
        Self::Draining,
        Self::NoCapacity,
        Self::QuotaVcpu,
        Self::Throttled,
        Self::SubnetFull,
        Self::AwsUnreachable,
        Self::EniTimeout,
        Self::InterfaceQuota,
        Self::InterfaceRefused,
        Self::AwsInternal,
        Self::ImageNotFound,
        Self::ImageDenied,
        Self::ImageArch,
        Self::RegistryLimit,
        Self::RegistryNoRoute,
        Self::RegistryBlob,
        Self::RegistryFailed,
        Self::RegistryUntrusted,
        Self::EcrUnreachable,
        Self::EcrDenied,
        Self::StartUnreachable,
        Self::ImageDisk,
        Self::SecretUnreachable,
        Self::SecretDenied,
        Self::SecretMissing,
        Self::SecretShape,
        Self::KeyDenied,
        Self::ParameterUnreachable,
        Self::ParameterDenied,
        Self::ParameterMissing,
        Self::LogGroup,
        Self::LogDenied,
        Self::LogUnreachable,
        Self::LogDriver,
        Self::EnvFileUnreachable,
        Self::EnvFileDenied,
        Self::EnvFileMissing,
        Self::EfsName,
        Self::EfsBlocked,
        Self::EfsDenied,
        Self::EfsPath,
        Self::ContainerStart,
        Self::ContainerSlow,
        Self::VolumeFailed,
        Self::TaskSize,
        Self::TaskDefMissing,
        Self::ContainerMissing,
        Self::ClusterMissing,
        Self::SpotOff,
        Self::NetworkMismatch,
        Self::RequestRefused,
        Self::RoleUnassumed,
        Self::ServiceRoleMissing,
        Self::NotAllowed,
        Self::Credentials,
        Self::CredentialsMissing,
        Self::AwsProfile,
        Self::EndpointUnusable,
        Self::AnswerUnreadable,
        Self::RegionMissing,
        Self::RegionUnusable,
        Self::CaBundle,
        Self::ProxyUnusable,
        Self::ProxyRefused,
        Self::ProxyUnreachable,
        Self::CertificateUntrusted,
        Self::RoleRefused,
        Self::NoPublicAddress,
        Self::AddressMissing,
        Self::Clock,
        Self::AccountBlocked,
        Self::AgentBlocked,
        Self::AgentRefused,
        Self::AgentExited,
        Self::AgentSettings,
        Self::AgentVersion,
        Self::LoginRefused,
        Self::KeyRefused,
        Self::KeyKindRefused,
        Self::Handshake,
        Self::WrongHost,
        Self::StartTimeout,
        Self::ConnectionLost,
        Self::LoginShell,
        Self::ShellMissing,
        Self::OutOfMemory,
        Self::Spot,
        Self::HostRetired,
        Self::StoppedBy,
        Self::StoppedByCleanup,
        Self::Cancelled,
        Self::MaxLifetime,
        Self::Idle,
        Self::StateFull,
        Self::StateDamaged,
        Self::StateDistrusted,
        Self::HostRefused,
        Self::TaskBusy,
        Self::ScriptTooLarge,
        Self::StateMissing,
        Self::AlreadyPrepared,
        Self::EnvironmentEnded,
        Self::ContainerEnded,
        Self::Superseded,
        Self::Expired,
        Self::Output,
        Self::Unknown,
    ];

    /// The entry of this cause.
    #[must_use]
    #[rustfmt::skip]
    pub fn entry(self) -> CatalogueEntry {
        use RetryDecision::{Final, Retry, Wait};
        use ResponsibleParty::{Aws, Job, Nobody, Person, Runner, Setup};
        let entry = |slug, class, who, next, headline, action, command| CatalogueEntry {
            slug, class, who, next, headline, action, command,
        };
        match self {
            Self::Paused => entry("paused", "stopped", Person, Wait, "intake is paused by {who} || intake is paused", "resume when the reason is gone", "fargate-runner resume"),
            Self::Draining => entry("draining", "stopped", Person, Wait, "this host takes no new jobs", "let another host take them, or end the drain", "fargate-runner resume"),
            Self::NoCapacity => entry("no-capacity", "capacity", Aws, Wait, "no Fargate capacity in {zones} || no Fargate capacity", "add a subnet in another zone, or allow Spot or on demand as a second choice", "aws ec2 describe-subnets --subnet-ids {subnets} --query \"Subnets[].[SubnetId,AvailabilityZone]\" --output text || fargate-runner config show"),
            Self::QuotaVcpu => entry("quota-vcpu", "quota", Aws, Wait, "the account's vCPU quota is used up", "ask AWS for a larger quota", "aws service-quotas get-service-quota --service-code fargate --quota-code L-3032A538"),
            Self::Throttled => entry("throttled", "throttled", Aws, Wait, "AWS limits how fast tasks start", "see who else calls ECS in this account", "aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=RunTask --max-results 50"),
            Self::SubnetFull => entry("subnet-full", "capacity", Setup, Wait, "subnet {subnet} has no free address || a subnet has no free address", "add a larger subnet", "aws ec2 describe-subnets --subnet-ids {subnets} --query \"Subnets[].[SubnetId,AvailableIpAddressCount]\" --output text || fargate-runner config show"),
            Self::AwsUnreachable => entry("aws-unreachable", "network", Setup, Wait, "this host cannot reach {endpoint} || this host cannot reach AWS", "check DNS, proxy and route of this host", "curl -sv -m 5 {endpoint} || aws sts get-caller-identity"),
            Self::EniTimeout => entry("eni-timeout", "aws", Aws, Retry, "AWS did not attach a network interface in time", "look at the task if it repeats", "aws ecs describe-tasks --cluster {cluster} --tasks {task} || fargate-runner config show"),
            Self::InterfaceQuota => entry("interface-quota", "quota", Aws, Wait, "the account's quota of network interfaces is used up", "ask AWS for a larger quota, and look for interfaces that nobody uses", "aws ec2 describe-network-interfaces --filters Name=status,Values=available"),
            Self::InterfaceRefused => entry("interface-refused", "network", Setup, Final, "EC2 refused a network interface for the task", "correct what EC2 names: the subnet, the security groups, or a policy", "aws ec2 describe-subnets --subnet-ids {subnet} || aws ec2 describe-subnets"),
            Self::AwsInternal => entry("aws-internal", "aws", Aws, Retry, "AWS had an internal error", "look at the AWS health page if it repeats", "https://health.aws.amazon.com/health/status"),
            Self::ImageNotFound => entry("image-not-found", "image", Setup, Final, "image {image} does not exist || the image does not exist", "correct the image in the task definition, or push it", "aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::ImageDenied => entry("image-denied", "image", Setup, Final, "the registry refused the image", "check that the registry accepts the login of the task definition", "aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::ImageArch => entry("image-arch", "image", Setup, Final, "the image is not built for this architecture", "build it for the task definition's architecture", "docker buildx imagetools inspect {image} || aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::RegistryLimit => entry("registry-limit", "image", Setup, Wait, "the registry limits pulls from this address", "log in to the registry or mirror the image", "aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::RegistryNoRoute => entry("registry-no-route", "network", Setup, Retry, "the task cannot reach the registry", "give the subnet a route to a NAT gateway", "aws ec2 describe-route-tables --filters Name=association.subnet-id,Values={subnet} --query \"RouteTables[].Routes\" || aws ec2 describe-route-tables --query \"RouteTables[].[RouteTableId,Routes]\""),
            Self::RegistryBlob => entry("registry-blob", "network", Setup, Retry, "the registry answered, its layers did not load", "open S3: a gateway endpoint or NAT", "aws ec2 describe-route-tables --filters Name=association.subnet-id,Values={subnet} --query \"RouteTables[].Routes\" || aws ec2 describe-route-tables --query \"RouteTables[].[RouteTableId,Routes]\""),
            Self::RegistryFailed => entry("registry-failed", "image", Setup, Retry, "the registry had an error of its own", "look at the registry's status page if it repeats", "aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::RegistryUntrusted => entry("registry-untrusted", "image", Setup, Final, "Fargate does not trust the registry's certificate", "give the registry a certificate of a public authority, or mirror the image to ECR", "aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::EcrUnreachable => entry("ecr-unreachable", "network", Setup, Retry, "the task cannot reach ECR", "give the subnet a NAT gateway, or endpoints for ecr.api, ecr.dkr and S3", "aws ec2 describe-route-tables --filters Name=association.subnet-id,Values={subnet} --query \"RouteTables[].Routes\" || aws ec2 describe-route-tables --query \"RouteTables[].[RouteTableId,Routes]\""),
            Self::EcrDenied => entry("ecr-denied", "image", Setup, Final, "the execution role may not log in to ECR", "allow ecr:GetAuthorizationToken on the execution role", "aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::StartUnreachable => entry("start-unreachable", "network", Setup, Retry, "the task cannot reach what its secrets and its login come from", "give the subnet a NAT gateway, or interface endpoints whose group allows 443", "aws ec2 describe-route-tables --filters Name=association.subnet-id,Values={subnet} --query \"RouteTables[].Routes\" || aws ec2 describe-route-tables --query \"RouteTables[].[RouteTableId,Routes]\""),
            Self::ImageDisk => entry("image-disk", "resources", Setup, Final, "the image does not fit on the task's disk", "raise ephemeralStorage in the task definition, 21 to 200 GiB", "aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::SecretUnreachable => entry("secret-unreachable", "network", Setup, Retry, "the task cannot reach Secrets Manager", "give the subnet a NAT gateway, or an interface endpoint whose group allows 443", "aws ec2 describe-route-tables --filters Name=association.subnet-id,Values={subnet} --query \"RouteTables[].Routes\" || aws ec2 describe-route-tables --query \"RouteTables[].[RouteTableId,Routes]\""),
            Self::SecretDenied => entry("secret-denied", "secret", Setup, Final, "the execution role may not read a secret", "allow secretsmanager:GetSecretValue on the execution role", "aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::SecretMissing => entry("secret-missing", "secret", Setup, Final, "a secret of the task is empty or not in this Region", "write its value", "aws secretsmanager list-secrets"),
            Self::SecretShape => entry("secret-shape", "secret", Setup, Final, "a secret of the task is not in the form that its definition expects", "write the JSON key that the task definition names; a registry login has `username` and `password`", "aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::KeyDenied => entry("key-denied", "secret", Setup, Final, "the execution role may not use the KMS key of a secret", "allow kms:Decrypt on that key for the execution role", "aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::ParameterUnreachable => entry("parameter-unreachable", "network", Setup, Retry, "the task cannot reach Systems Manager for its parameters", "give the subnet a NAT gateway, or an interface endpoint for ssm whose group allows 443", "aws ec2 describe-route-tables --filters Name=association.subnet-id,Values={subnet} --query \"RouteTables[].Routes\" || aws ec2 describe-route-tables --query \"RouteTables[].[RouteTableId,Routes]\""),
            Self::ParameterDenied => entry("parameter-denied", "secret", Setup, Final, "the execution role may not read an SSM parameter", "allow ssm:GetParameters on the execution role", "aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::ParameterMissing => entry("parameter-missing", "secret", Setup, Final, "SSM parameter {parameter} is not in this Region || an SSM parameter of the task is not in this Region", "create it, or correct its name in the task definition", "aws ssm get-parameters --names {parameter} || aws ssm describe-parameters"),
            Self::LogGroup => entry("log-group", "config", Setup, Final, "the log group of the task does not exist", "create it", "aws logs create-log-group --log-group-name {group} || aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::LogDenied => entry("log-denied", "config", Setup, Final, "the execution role may not write the container's log", "allow logs:CreateLogStream and logs:PutLogEvents on the execution role, and logs:CreateLogGroup where the task makes the group", "aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::LogUnreachable => entry("log-unreachable", "network", Setup, Retry, "the task cannot reach CloudWatch Logs", "give the subnet a NAT gateway, or an interface endpoint for logs whose group allows 443", "aws ec2 describe-route-tables --filters Name=association.subnet-id,Values={subnet} --query \"RouteTables[].Routes\" || aws ec2 describe-route-tables --query \"RouteTables[].[RouteTableId,Routes]\""),
            Self::LogDriver => entry("log-driver", "config", Setup, Final, "the container's log driver did not start", "correct `logConfiguration` in the task definition", "aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::EnvFileUnreachable => entry("env-file-unreachable", "network", Setup, Retry, "the task cannot reach S3 for an environment file", "give the subnet a gateway endpoint for S3, or a NAT gateway", "aws ec2 describe-route-tables --filters Name=association.subnet-id,Values={subnet} --query \"RouteTables[].Routes\" || aws ec2 describe-route-tables --query \"RouteTables[].[RouteTableId,Routes]\""),
            Self::EnvFileDenied => entry("env-file-denied", "config", Setup, Final, "the execution role may not read an environment file", "allow s3:GetObject on the file and s3:GetBucketLocation on its bucket for the execution role", "aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::EnvFileMissing => entry("env-file-missing", "config", Setup, Final, "an environment file of the task does not exist", "upload it, or correct `environmentFiles` in the task definition", "aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::EfsName => entry("efs-name", "storage", Setup, Final, "EFS {fs} has no address in this zone || the EFS file system has no address in this zone", "make a mount target in the zone; if it is there, turn DNS names of the VPC on", "aws efs describe-mount-targets --file-system-id {fs} || aws efs describe-file-systems"),
            Self::EfsBlocked => entry("efs-blocked", "storage", Setup, Final, "EFS {fs} does not answer on port 2049 || the EFS file system does not answer on port 2049", "let the task's security group in", "aws efs describe-mount-targets --file-system-id {fs} || aws efs describe-file-systems"),
            Self::EfsDenied => entry("efs-denied", "storage", Setup, Final, "EFS {fs} refused the mount || the EFS file system refused the mount", "repair the file system's policy and the task role", "aws efs describe-file-system-policy --file-system-id {fs} || aws efs describe-file-systems"),
            Self::EfsPath => entry("efs-path", "storage", Setup, Final, "the folder does not exist on EFS {fs} || the folder does not exist on the EFS file system", "use an access point that creates it", "aws efs describe-access-points --file-system-id {fs} || aws efs describe-access-points"),
            Self::ContainerStart => entry("container-start", "config", Setup, Final, "the container could not start", "run the image's start command by hand", "docker run --rm -it {image} || aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::ContainerSlow => entry("container-slow", "aws", Aws, Retry, "Fargate did not start the container within its time", "look at the image's size and the container's volumes if it repeats", "aws ecs describe-tasks --cluster {cluster} --tasks {task} || fargate-runner config show"),
            Self::VolumeFailed => entry("volume-failed", "storage", Setup, Final, "a volume of the task could not be made", "correct the volumes of the task definition", "aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::TaskSize => entry("task-size", "config", Setup, Final, "this CPU and memory is not a Fargate size", "set `cpu` and `memory` to a pair that Fargate offers", "fargate-runner config show"),
            Self::TaskDefMissing => entry("task-def-missing", "config", Setup, Final, "task definition {task_definition} is missing or inactive || the task definition is missing or inactive", "register it again, or correct `task_definition`", "aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::ContainerMissing => entry("container-missing", "config", Setup, Final, "task definition {task_definition} has no container {container} || the task definition has no such container", "correct `container` in the configuration", "aws ecs describe-task-definition --task-definition {task_definition} --query \"taskDefinition.containerDefinitions[].name\" || fargate-runner config show"),
            Self::ClusterMissing => entry("cluster-missing", "config", Setup, Final, "cluster {cluster} does not exist in {region} || the cluster does not exist in this Region", "correct `cluster` or create it", "aws ecs create-cluster --cluster-name {cluster} || aws ecs list-clusters"),
            Self::SpotOff => entry("spot-off", "config", Setup, Final, "cluster {cluster} does not offer the capacity provider || the cluster does not offer the capacity provider", "associate it with the cluster", "aws ecs put-cluster-capacity-providers --cluster {cluster} --capacity-providers FARGATE FARGATE_SPOT --default-capacity-provider-strategy capacityProvider=FARGATE,weight=1 || aws ecs describe-clusters --include SETTINGS"),
            Self::NetworkMismatch => entry("network-mismatch", "config", Setup, Final, "the security groups and the subnet are in different networks", "use groups and subnets of one VPC", "aws ec2 describe-security-groups --group-ids {security_groups} --query \"SecurityGroups[].[GroupId,VpcId]\" --output text || fargate-runner config show"),
            Self::RequestRefused => entry("request-refused", "config", Setup, Final, "ECS refused to start the task", "correct what ECS names", "fargate-runner config show"),
            Self::RoleUnassumed => entry("role-unassumed", "iam", Setup, Retry, "ECS cannot assume a role of the task", "let the role's trust policy name ecs-tasks.amazonaws.com; a new role needs a minute", "aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::ServiceRoleMissing => entry("service-role-missing", "iam", Setup, Retry, "ECS cannot assume its service-linked role in this account", "make it once for the account; a new one needs a minute", "aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com"),
            Self::NotAllowed => entry("not-allowed", "config", Setup, Final, "this host's role may not {action} || this host's role lacks a right", "allow exactly this action", "aws sts get-caller-identity"),
            Self::Credentials => entry("credentials", "config", Setup, Final, "the AWS credentials of this host do not work", "renew them", "aws sts get-caller-identity"),
            Self::CredentialsMissing => entry("credentials-missing", "config", Setup, Final, "this host has no AWS credentials", "give this host a role, or name a profile in AWS_PROFILE", "aws sts get-caller-identity"),
            Self::AwsProfile => entry("aws-profile", "config", Setup, Final, "the AWS profile {profile} gives no credentials || the AWS profile gives no credentials", "correct it in {path}, or log in again || correct it, or log in again", "aws sts get-caller-identity --profile {profile} || aws configure list"),
            Self::EndpointUnusable => entry("endpoint-unusable", "network", Setup, Final, "{variable} names no endpoint || endpoint_url in {path} names no endpoint || a setting of this host names no endpoint", "write it as https://HOST, or unset it for this host's runner", "printenv {variable} || grep -n endpoint_url {path} || printenv"),
            Self::AnswerUnreadable => entry("answer-unreadable", "network", Setup, Wait, "the answer of {endpoint} cannot be read || the answer of AWS cannot be read", "see what answers there: a proxy or another program may", "curl -sv -m 5 {endpoint} || aws sts get-caller-identity"),
            Self::RegionMissing => entry("region-missing", "config", Setup, Final, "no AWS Region is known", "set `region` in the configuration, or AWS_REGION", "fargate-runner config show"),
            Self::RegionUnusable => entry("region-unusable", "config", Setup, Final, "{region} is no AWS Region || the Region is no AWS Region", "correct `region` in the configuration, or AWS_REGION", "fargate-runner config show"),
            Self::CaBundle => entry("ca-bundle", "config", Setup, Final, "the CA bundle {path} cannot be used || the CA bundle cannot be used", "name a readable PEM file with certificates in `ca_bundle` or AWS_CA_BUNDLE", "openssl x509 -noout -subject -in {path} || fargate-runner config show"),
            Self::ProxyUnusable => entry("proxy-unusable", "network", Setup, Final, "{variable} names no HTTP proxy || the proxy of this host is no HTTP proxy", "write it as http://HOST:PORT, or unset it for this host's runner", "printenv {variable} || printenv"),
            Self::ProxyRefused => entry("proxy-refused", "network", Setup, Final, "the proxy {proxy} asks for a login || the proxy asks for a login", "write user and password into the proxy's URL, as http://USER:PASSWORD@HOST:PORT", "curl -sv -m 5 -x {proxy} {endpoint} || printenv HTTPS_PROXY"),
            Self::ProxyUnreachable => entry("proxy-unreachable", "network", Setup, Wait, "the proxy {proxy} gives no way to {endpoint} || the proxy gives no way to AWS", "check that the proxy runs and allows it, or name the host in NO_PROXY", "curl -sv -m 5 -x {proxy} {endpoint} || printenv HTTPS_PROXY"),
            Self::CertificateUntrusted => entry("certificate-untrusted", "network", Setup, Final, "the certificate of {endpoint} is not trusted || the certificate of an AWS endpoint is not trusted", "name the PEM file of its authority in `ca_bundle` or AWS_CA_BUNDLE", "curl -sv -m 5 {endpoint} || aws sts get-caller-identity"),
            Self::RoleRefused => entry("role-refused", "iam", Setup, Final, "this host may not assume {role} || this host may not assume its role", "allow sts:AssumeRole on it, and let its trust policy name this host and the external id", "aws sts get-caller-identity"),
            Self::NoPublicAddress => entry("no-public-address", "network", Setup, Final, "the task got no public address", "use a subnet with an internet gateway, or dial the private address", "aws ec2 describe-network-interfaces --network-interface-ids {interface} || fargate-runner config show"),
            Self::AddressMissing => entry("address-missing", "aws", Aws, Final, "ECS named no address for the running task", "start the job again; look at the task's network interface if it repeats", "aws ecs describe-tasks --cluster {cluster} --tasks {task} || fargate-runner config show"),
            Self::Clock => entry("clock", "host", Setup, Final, "this host's clock differs from AWS's", "turn time keeping on", "sudo timedatectl set-ntp true"),
            Self::AccountBlocked => entry("account-blocked", "aws", Aws, Final, "AWS has blocked this account", "open a case: only AWS Support can lift this", "https://console.aws.amazon.com/support/home#/case/create"),
            Self::AgentBlocked => entry("agent-blocked", "network", Setup, Final, "the task runs, but port {port} does not answer || the task runs, but does not answer", "let this host in", "aws ec2 describe-security-groups --group-ids {security_groups} --query \"SecurityGroups[].IpPermissions\" || fargate-runner config show"),
            Self::AgentRefused => entry("agent-refused", "agent", Setup, Final, "the task runs, but nothing listens on port {port} || the task runs, but nothing listens on its port", "start the agent by hand in the image", "docker run --rm {image} fargate-agent --version || aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::AgentExited => entry("agent-exited", "agent", Setup, Final, "the agent ended at once", "look at the container's log; a wrong architecture or a read-only root are the usual reasons", "docker run --rm {image} fargate-agent --version || aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::AgentSettings => entry("agent-settings", "agent", Setup, Final, "the agent refused its settings", "look at the container's log, which names the variable; put the agent of this release into the image, and no FARGATE_RUNNER_ variable into the task definition", "docker run --rm {image} fargate-agent --version || aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::AgentVersion => entry("agent-version", "agent", Setup, Final, "the agent in the image is too old or too new for this driver", "put the agent of this release into the image", "fargate-runner --version"),
            Self::LoginRefused => entry("login-refused", "agent", Setup, Final, "the task refused our key", "set `ssh.user` to the user that the agent of the image serves", "fargate-runner config show"),
            Self::KeyRefused => entry("key-refused", "agent", Setup, Final, "the task refused our key", "check `ssh.user` and that its account is not locked; set `ssh.client_key = \"rsa\"` if the server takes no ed25519", "docker run --rm {image} /usr/sbin/sshd -T || aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::KeyKindRefused => entry("key-kind-refused", "agent", Setup, Final, "the task's SSH server takes no ed25519 keys", "set `ssh.client_key = \"rsa\"`", "fargate-runner config show"),
            Self::Handshake => entry("handshake", "agent", Aws, Retry, "the SSH handshake did not end", "look for a proxy between, if it repeats", "aws ecs describe-tasks --cluster {cluster} --tasks {task} || fargate-runner config show"),
            Self::WrongHost => entry("wrong-host", "security", Person, Final, "another machine answered in the task's place", "treat as an incident; find who holds the address", "aws ec2 describe-network-interfaces --filters Name=private-ip-address,Values={ip} || fargate-runner config show"),
            Self::StartTimeout => entry("start-timeout", "aws", Aws, Final, "the task did not start in {limit} || the task did not start in time", "raise `timeouts.task_start` only if starts are usually this slow", "fargate-runner config show"),
            Self::ConnectionLost => entry("connection-lost", "agent", Runner, Final, "the connection to the task was lost", "start the job again; the script is never run twice", "retry: { max: 1, when: runner_system_failure }"),
            Self::LoginShell => entry("login-shell", "image", Setup, Final, "the login shell in the task ran none of our commands", "give the user of `ssh.user` bash or sh as its login shell", "docker run --rm {image} getent passwd || aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::ShellMissing => entry("shell-missing", "image", Setup, Final, "the image has no {program} || the image lacks a program", "put it into the image, or set `shell`", "docker run --rm {image} {program} --version || aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::OutOfMemory => entry("out-of-memory", "resources", Job, Final, "out of memory (limit {memory}) || out of memory", "give the job a larger task", "fargate-runner config show"),
            Self::Spot => entry("spot", "spot", Aws, Final, "AWS took the Spot task back", "let GitLab start the job again", "retry: { max: 2, when: runner_system_failure }"),
            Self::HostRetired => entry("host-retired", "aws", Aws, Final, "AWS replaced the machine under the task", "start the job again", "retry: { max: 1, when: runner_system_failure }"),
            Self::StoppedBy => entry("stopped-by", "stopped", Person, Final, "someone stopped the task in AWS", "see who", "aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=StopTask --max-results 20"),
            Self::StoppedByCleanup => entry("stopped-by-cleanup", "stopped", Runner, Final, "the job's clean-up stopped the task", "look in GitLab Runner's log why it cleaned up", "journalctl -u gitlab-runner"),
            Self::Cancelled => entry("cancelled", "stopped", Person, Final, "cancelled", "", ""),
            Self::MaxLifetime => entry("max-lifetime", "stopped", Runner, Final, "the task reached its maximum lifetime", "raise `timeouts.lifetime_margin`, or the job's own time limit", "fargate-runner config show"),
            Self::Idle => entry("idle", "stopped", Runner, Final, "nobody talked to the task for too long", "see what this host did then", "journalctl -u gitlab-runner"),
            Self::StateFull => entry("state-full", "host", Setup, Final, "no room to write the job's state", "free the disk, or make the folder writable", "df -h {path} || df -h"),
            Self::StateDamaged => entry("state-damaged", "host", Setup, Final, "the name of this host cannot be read from {host_name} || the state file of this job cannot be read", "remove {host_name}, so that the next job gives this host a new name || start the job again", "ls -ld {path} || fargate-runner config show"),
            Self::StateDistrusted => entry("state-distrusted", "host", Setup, Final, "another user may have written {path} || another user may have written the job's state", "look at it with `ls -ld {path}`, then mend it || look at the owner and the mode of `state_dir`, then mend it", "{mend} || fargate-runner config show"),
            Self::HostRefused => entry("host-refused", "host", Setup, Final, "this host refused {doing} || this host refused what the driver needs", "look for limits on memory, files or processes of this host", "ulimit -a"),
            Self::TaskBusy => entry("task-busy", "agent", Setup, Final, "an earlier script still runs in the task and cannot be ended", "look for a process that hangs in storage, such as EFS", "aws ecs describe-tasks --cluster {cluster} --tasks {task} || fargate-runner config show"),
            Self::ScriptTooLarge => entry("script-too-large", "script", Job, Final, "the script cannot be run as it is", "make it smaller than 256 MiB", ""),
            Self::StateMissing => entry("state-missing", "host", Setup, Final, "this job was not prepared on this host", "see whether `prepare` and `run` use the same `state_dir`", "fargate-runner config show"),
            Self::AlreadyPrepared => entry("already-prepared", "host", Setup, Final, "another process is preparing this job", "see whether two runners share one registration", "ps -ef"),
            Self::EnvironmentEnded => entry("environment-ended", "script", Job, Final, "the job ended its own environment", "look for kill, reboot or firewall commands in the script", ""),
            Self::ContainerEnded => entry("container-ended", "config", Setup, Final, "container {other} of the task ended ({ended}) || another container of the task ended", "see why it ended; set `essential` to false where jobs can go on without it", "aws ecs describe-task-definition --task-definition {task_definition} || fargate-runner config show"),
            Self::Superseded => entry("superseded", "agent", Runner, Final, "another stage of this job began while this one ran", "see why gitlab-runner did not wait", "journalctl -u gitlab-runner"),
            Self::Expired => entry("expired", "aws", Aws, Final, "ECS no longer remembers this task", "start the job again", "retry: { max: 1, when: runner_system_failure }"),
            Self::Output => entry("output-closed", "host", Setup, Final, "the job's log could not be written", "see whether gitlab-runner was ended", "journalctl -u gitlab-runner"),
            Self::Unknown => entry("unknown", "aws", Nobody, Final, "the task ended for a reason that is not recognised", "read what ECS said; look at the task in its console", "aws ecs describe-tasks --cluster {cluster} --tasks {task} || fargate-runner config show"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::{CauseReport, ColourMode};
    use std::collections::BTreeSet;

    #[test]
    fn each_slug_is_written_once_and_is_what_files_hold() {
        let slugs: BTreeSet<_> = FailureCause::ALL.iter().map(|cause| cause.entry().slug).collect();
        assert_eq!(slugs.len(), FailureCause::ALL.len());
        for &cause in FailureCause::ALL {
            let written = serde_json::to_value(cause).unwrap();
            assert_eq!(written, cause.entry().slug);
        }
    }

    /// What is left of a template: a fact's name in braces, or in angle brackets.
    fn placeholder(text: &str) -> Option<&str> {
        let is_name = |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || "_ ".contains(c));
        let between = |open, close| {
            let inside = text.split(open).skip(1).filter_map(|rest| rest.split(close).next());
            inside
                .clone()
                .find(|name| !name.trim().is_empty() && is_name(name))
                .filter(|_| text.contains(close))
        };
        between('{', '}').or_else(|| between('<', '>'))
    }

    /// All names of facts in an entry's texts.
    fn names(entry: &CatalogueEntry) -> BTreeSet<&'static str> {
        let texts = [entry.headline, entry.action, entry.command];
        let inside = texts.into_iter().flat_map(|text| text.split('{').skip(1));
        let names = inside.filter_map(|rest| rest.split('}').next());
        names.filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_')).collect()
    }

    /// Whatever is known: nothing, all of it, all but one fact, one fact alone.
    #[test]
    fn no_entry_leaves_a_placeholder_whatever_is_known() {
        for &cause in FailureCause::ALL {
            let names = names(&cause.entry());
            let with = |known: &dyn Fn(&str) -> bool| {
                let known = names.iter().filter(|name| known(name));
                known.fold(CauseReport::new(cause), |why, name| why.with(name, "VALUE-1"))
            };
            let mut cases = vec![with(&|_| false), with(&|_| true)];
            for missing in &names {
                cases.push(with(&|name| name != *missing));
                cases.push(with(&|name| name == *missing));
            }
            for why in cases {
                let block = why.block(ColourMode::Off).to_string();
                for line in block.lines().chain([why.line().as_str()]) {
                    assert_eq!(placeholder(line), None, "{cause:?}: {line}");
                    assert!(!line.contains("||"), "{cause:?}: {line}");
                }
            }
            let known = with(&|_| true).block(ColourMode::Off).to_string();
            assert!(names.is_empty() || known.contains("VALUE-1"), "{known}");
        }
    }

    #[test]
    fn each_headline_is_short_and_each_fault_that_a_person_mends_has_an_action() {
        for &cause in FailureCause::ALL {
            let entry = cause.entry();
            for headline in entry.headline.split(" || ") {
                assert!(headline.len() <= 70, "{headline}");
                assert!(!headline.ends_with('.'), "{headline}");
            }
            let needs_none = matches!(cause, FailureCause::Cancelled);
            assert!(needs_none || !entry.action.is_empty(), "{cause:?}");
        }
    }

    #[test]
    fn braces_of_a_line_to_paste_are_its_own() {
        let command = CauseReport::new(FailureCause::Spot).command().unwrap();
        assert_eq!(command, "retry: { max: 2, when: runner_system_failure }");
    }

    #[test]
    fn a_fact_is_one_word_for_a_shell() {
        let why = CauseReport::new(FailureCause::ImageArch).with("image", "acme/ci:1;reboot $(x)");
        let command = why.command().unwrap();
        assert_eq!(command, "docker buildx imagetools inspect 'acme/ci:1;reboot' '$(x)'");
    }
}
