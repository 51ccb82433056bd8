//! The entries of the catalogue: every cause, written once.
//!
//! An entry has a slug, words and what to do. How a cause is recognised in the texts of AWS, with
//! the source of each text, stands in the driver.

use serde::{Deserialize, Serialize};

use super::{CatalogueEntry, ResponsibleParty, RetryDecision};

const SHOW_DEFINITION: &str =
    "aws ecs describe-task-definition --task-definition {task_definition}";
const SHOW_CONFIG: &str = "fargate-runner config show";
const SHOW_TASK: &str = "aws ecs describe-tasks --cluster {cluster} --tasks {task}";
const CHECK_ACCOUNT: &str = "fargate-runner check";
const SHOW_IDENTITY: &str = "aws sts get-caller-identity";
const CALL_ENDPOINT: &str = "curl -sv -m 5 {endpoint}";
const CALL_THROUGH_PROXY: &str = "curl -sv -m 5 -x {proxy} {endpoint}";
const RUN_AGENT: &str = "docker run --rm {image} fargate-agent --version";
const SHOW_RUNNER_LOG: &str = "journalctl -u gitlab-runner";
const RETRY_ONCE: &str = "let GitLab start the job again; in `.gitlab-ci.yml`: `retry: { max: 1, when: runner_system_failure }`";
const RETRY_TWICE: &str = "let GitLab start the job again; in `.gitlab-ci.yml`: `retry: { max: 2, when: runner_system_failure }`";

/// Makes [`FailureCause`], the list of all causes and their entries from one table.
///
/// A text is a list of wordings, and the first whose facts are all known is shown. The last must
/// name no fact, so that there is always one to show; the compiler refuses an entry that breaks this.
macro_rules! catalogue {
    ($(
        $(#[$doc:meta])*
        $name:ident = $slug:literal, $class:literal, $who:ident, $next:ident {
            headline: $headline:expr,
            action: $action:expr,
            command: $command:expr,
        }
    )*) => {
        /// A cause. Wherever it is written down, its slug stands for it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[allow(missing_docs, reason = "each variant's headline says what it is")]
        pub enum FailureCause {
            $($(#[$doc])* #[serde(rename = $slug)] $name,)*
        }

        impl FailureCause {
            /// Every cause, in the order of the catalogue.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The entry of this cause.
            #[must_use]
            pub fn entry(self) -> CatalogueEntry {
                match self {
                    $(Self::$name => CatalogueEntry {
                        slug: $slug,
                        class: $class,
                        who: ResponsibleParty::$who,
                        next: RetryDecision::$next,
                        headline: $headline,
                        action: $action,
                        command: $command,
                    },)*
                }
            }
        }

        $(const _: () = {
            assert!(last_needs_no_fact($headline), concat!($slug, ": the last headline names a fact"));
            assert!(last_needs_no_fact($action), concat!($slug, ": the last action names a fact"));
            assert!(last_needs_no_fact($command), concat!($slug, ": the last command names a fact"));
        };)*
    };
}

const fn last_needs_no_fact(wordings: &[&str]) -> bool {
    match wordings {
        [] => true,
        [.., last] => !names_fact(last),
    }
}

/// Whether there is a fact's name in braces. `{ max: 1 }` is none: names have no blanks.
const fn names_fact(wording: &str) -> bool {
    let bytes = wording.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at] == b'{' {
            let start = at + 1;
            at = start;
            while at < bytes.len() && (bytes[at].is_ascii_lowercase() || bytes[at] == b'_') {
                at += 1;
            }
            if at > start && at < bytes.len() && bytes[at] == b'}' {
                return true;
            }
        } else {
            at += 1;
        }
    }
    false
}

catalogue! {
    Paused = "paused", "stopped", Person, Wait {
        headline: &[
            "new jobs wait, because {path} cannot be read",
            "new jobs are paused by {who}",
            "new jobs are paused",
        ],
        action: &["resume when the reason for the pause is gone"],
        command: &["fargate-runner resume"],
    }
    Draining = "draining", "stopped", Person, Wait {
        headline: &["this host takes no new jobs"],
        action: &["let another host take the jobs, or end the drain"],
        command: &["fargate-runner resume"],
    }
    NoCapacity = "no-capacity", "capacity", Setup, Wait {
        headline: &["no Fargate capacity in {zones}", "no Fargate capacity"],
        action: &["add a subnet in another zone, or name a second choice in `capacity_fallback`"],
        command: &[
            "aws ec2 describe-subnets --subnet-ids {subnets} --query \"Subnets[].[SubnetId,AvailabilityZone]\" --output text",
            SHOW_CONFIG,
        ],
    }
    QuotaVcpu = "quota-vcpu", "quota", Setup, Wait {
        headline: &["the account's vCPU quota is used up"],
        action: &["ask AWS for a larger quota"],
        command: &["aws service-quotas get-service-quota --service-code fargate --quota-code L-3032A538"],
    }
    QuotaSpot = "quota-spot", "quota", Setup, Wait {
        headline: &["the account's Spot vCPU quota is used up"],
        action: &["ask AWS for a larger Spot quota"],
        command: &["aws service-quotas get-service-quota --service-code fargate --quota-code L-36FBB829"],
    }
    Throttled = "throttled", "throttled", Setup, Wait {
        headline: &["AWS limits how fast tasks start"],
        action: &["find out who else calls ECS in this account"],
        command: &["aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=RunTask --max-results 50"],
    }
    SubnetFull = "subnet-full", "capacity", Setup, Wait {
        headline: &["subnet {subnet} has no free address", "a subnet has no free address"],
        action: &["add a larger subnet"],
        command: &[
            "aws ec2 describe-subnets --subnet-ids {subnets} --query \"Subnets[].[SubnetId,AvailableIpAddressCount]\" --output text",
            SHOW_CONFIG,
        ],
    }
    AwsUnreachable = "aws-unreachable", "network", Setup, Wait {
        headline: &["this host cannot reach {endpoint}", "this host cannot reach AWS"],
        action: &["check the DNS, the proxy and the routes of this host"],
        command: &[CALL_ENDPOINT, SHOW_IDENTITY],
    }
    EniTimeout = "eni-timeout", "aws", Aws, Retry {
        headline: &["AWS did not attach a network interface in time"],
        action: &["if it happens again, look at the task"],
        command: &[SHOW_TASK, SHOW_CONFIG],
    }
    InterfaceQuota = "interface-quota", "quota", Setup, Wait {
        headline: &["the account's quota of network interfaces is used up"],
        action: &["ask AWS for a larger quota, and look for unused interfaces"],
        command: &["aws ec2 describe-network-interfaces --filters Name=status,Values=available"],
    }
    InterfaceRefused = "interface-refused", "network", Setup, Final {
        headline: &["EC2 refused a network interface for the task"],
        action: &["correct what EC2 names: the subnet, the security groups, or a policy"],
        command: &["aws ec2 describe-subnets --subnet-ids {subnet}", "aws ec2 describe-subnets"],
    }
    AwsInternal = "aws-internal", "aws", Aws, Retry {
        headline: &["AWS had an internal error"],
        action: &["if it happens again, look at the AWS health page"],
        command: &["https://health.aws.amazon.com/health/status"],
    }
    ImageNotFound = "image-not-found", "image", Setup, Final {
        headline: &["image {image} does not exist", "the image does not exist"],
        action: &["correct the image in the task definition, or push it"],
        command: &[SHOW_DEFINITION, SHOW_CONFIG],
    }
    ImageDenied = "image-denied", "image", Setup, Final {
        headline: &["the registry refused the image"],
        action: &["check that the registry accepts the login of the task definition"],
        command: &[
            "fargate-runner registry-secret test --secret {registry_secret}",
            SHOW_DEFINITION,
            SHOW_CONFIG,
        ],
    }
    ImageArch = "image-arch", "image", Setup, Final {
        headline: &["the image is not built for this architecture"],
        action: &["build the image for the architecture of the task definition"],
        command: &["docker buildx imagetools inspect {image}", SHOW_DEFINITION, SHOW_CONFIG],
    }
    ImageMalformed = "image-malformed", "image", Setup, Final {
        headline: &["`{image}` names no image", "the configuration names no image"],
        action: &["correct `image` in the configuration of the manager host"],
        command: &[SHOW_CONFIG],
    }
    ImageManifestUnread = "image-manifest-unread", "image", Setup, Final {
        headline: &[
            "the manifest {path} of image {image} cannot be used",
            "the manifest of the image cannot be used",
        ],
        action: &["bring the manifest of images to the manager host, as it is in git"],
        command: &["fargate-runner image list", SHOW_CONFIG],
    }
    ImageChannelMissing = "image-channel-missing", "image", Setup, Final {
        headline: &[
            "image {image} has no version in channel {channel}",
            "the image has no version in this channel",
        ],
        action: &["promote a version to the channel, or name another channel as `image` of the profile"],
        command: &["fargate-runner image list", SHOW_CONFIG],
    }
    ImageRevoked = "image-revoked", "image", Setup, Final {
        headline: &[
            "channel {channel} of image {image} has a revoked version",
            "the version of the image is revoked",
        ],
        action: &["promote a good version to the channel, or roll the channel back"],
        command: &["fargate-runner image list", SHOW_CONFIG],
    }
    ImageDeprecated = "image-deprecated", "image", Setup, Final {
        headline: &[
            "the version of {image}@{channel} is deprecated for too long",
            "the version of the image is deprecated for too long",
        ],
        action: &["promote a newer version to the channel, or raise `deprecate_after` of the image"],
        command: &["fargate-runner image list", SHOW_CONFIG],
    }
    RegistryNotAsked = "registry-not-asked", "network", Setup, Retry {
        headline: &[
            "the manager host could not ask the registry for image {image}",
            "the manager host could not ask the registry for the image",
        ],
        action: &["let the manager host reach the registry, or set `pin_image = false` so that only the task asks it"],
        command: &["fargate-runner registry-secret test"],
    }
    RegistrySecretUnread = "registry-secret-unread", "secret", Setup, Retry {
        headline: &["this host could not read the registry's login"],
        action: &["allow secretsmanager:GetSecretValue on the secret for the manager host, or set `pin_image = false`"],
        command: &["fargate-runner registry-secret test"],
    }
    RegistryLimit = "registry-limit", "image", Setup, Wait {
        headline: &["the registry limits pulls from this address"],
        action: &["log in to the registry or mirror the image"],
        command: &[SHOW_DEFINITION, SHOW_CONFIG],
    }
    RegistryNoRoute = "registry-no-route", "network", Setup, Retry {
        headline: &["the task cannot reach the registry"],
        action: &["give the subnet a route to a NAT gateway"],
        command: &[CHECK_ACCOUNT],
    }
    RegistryBlob = "registry-blob", "network", Setup, Retry {
        headline: &["the registry answered, but the image's layers did not load"],
        action: &["give the subnet a route to S3: a gateway endpoint or a NAT gateway"],
        command: &[CHECK_ACCOUNT],
    }
    RegistryFailed = "registry-failed", "image", Setup, Retry {
        headline: &["the registry reported an internal error"],
        action: &["if it happens again, look at the registry's status page"],
        command: &[SHOW_DEFINITION, SHOW_CONFIG],
    }
    RegistryUntrusted = "registry-untrusted", "image", Setup, Final {
        headline: &["Fargate does not trust the registry's certificate"],
        action: &["give the registry a certificate from a public authority, or mirror the image to ECR"],
        command: &[SHOW_DEFINITION, SHOW_CONFIG],
    }
    EcrUnreachable = "ecr-unreachable", "network", Setup, Retry {
        headline: &["the task cannot reach ECR"],
        action: &["give the subnet a NAT gateway, or endpoints for ecr.api, ecr.dkr and S3"],
        command: &[CHECK_ACCOUNT],
    }
    EcrDenied = "ecr-denied", "image", Setup, Final {
        headline: &["the execution role may not log in to ECR"],
        action: &["allow ecr:GetAuthorizationToken on the execution role"],
        command: &[SHOW_DEFINITION, SHOW_CONFIG],
    }
    StartUnreachable = "start-unreachable", "network", Setup, Retry {
        headline: &["the task cannot reach the source of its secrets and its login"],
        action: &["give the subnet a NAT gateway, or interface endpoints whose security group allows port 443"],
        command: &[CHECK_ACCOUNT],
    }
    ImageDisk = "image-disk", "resources", Setup, Final {
        headline: &["the image does not fit on the task's disk"],
        action: &["raise ephemeralStorage in the task definition, 21 to 200 GiB"],
        command: &[SHOW_DEFINITION, SHOW_CONFIG],
    }
    SecretUnreachable = "secret-unreachable", "network", Setup, Retry {
        headline: &["the task cannot reach Secrets Manager"],
        action: &["give the subnet a NAT gateway, or an interface endpoint whose security group allows port 443"],
        command: &[CHECK_ACCOUNT],
    }
    SecretDenied = "secret-denied", "secret", Setup, Final {
        headline: &[
            "the execution role may not read secret {secret}",
            "the execution role may not read a secret",
        ],
        action: &[
            "allow secretsmanager:GetSecretValue on {secret_id} for the execution role",
            "allow secretsmanager:GetSecretValue on the execution role",
        ],
        command: &[SHOW_DEFINITION, SHOW_CONFIG],
    }
    SecretMissing = "secret-missing", "secret", Setup, Final {
        headline: &[
            "secret {secret} is empty or not in this Region",
            "a secret of the task is empty or not in this Region",
        ],
        action: &["write a value for it in this Region"],
        command: &[
            "aws secretsmanager describe-secret --secret-id {secret_id}",
            "aws secretsmanager list-secrets",
        ],
    }
    SecretDeleted = "secret-deleted", "secret", Setup, Final {
        headline: &[
            "secret {secret} is marked for deletion",
            "a secret of the task is marked for deletion",
        ],
        action: &["restore it, or name another secret in the profile"],
        command: &[
            "aws secretsmanager restore-secret --secret-id {secret_id}",
            "aws secretsmanager list-secrets --include-planned-deletion",
        ],
    }
    SecretShape = "secret-shape", "secret", Setup, Final {
        headline: &[
            "secret {secret} has no JSON key {key}",
            "a secret of the task has no JSON key {key}",
            "a secret does not have the form that the task definition expects",
        ],
        action: &[
            "write the key {key} into the JSON of the secret, or correct the key in `secrets` of the profile",
            "write the JSON key that the task definition names; a registry login has `username` and `password`",
        ],
        command: &[SHOW_DEFINITION, SHOW_CONFIG],
    }
    KeyDenied = "key-denied", "secret", Setup, Final {
        headline: &["the execution role may not use the KMS key of a secret"],
        action: &["allow kms:Decrypt on that key for the execution role"],
        command: &[SHOW_DEFINITION, SHOW_CONFIG],
    }
    ParameterUnreachable = "parameter-unreachable", "network", Setup, Retry {
        headline: &["the task cannot reach Systems Manager to read its parameters"],
        action: &["give the subnet a NAT gateway, or an interface endpoint for ssm whose security group allows port 443"],
        command: &[CHECK_ACCOUNT],
    }
    ParameterDenied = "parameter-denied", "secret", Setup, Final {
        headline: &[
            "the execution role may not read SSM parameter {parameter}",
            "the execution role may not read an SSM parameter",
        ],
        action: &["allow ssm:GetParameters on the execution role"],
        command: &[SHOW_DEFINITION, SHOW_CONFIG],
    }
    ParameterMissing = "parameter-missing", "secret", Setup, Final {
        headline: &[
            "SSM parameter {parameter} is not in this Region",
            "an SSM parameter of the task is not in this Region",
        ],
        action: &["create it, or correct its name in the task definition"],
        command: &["aws ssm get-parameters --names {parameter}", "aws ssm describe-parameters"],
    }
    LogGroup = "log-group", "config", Setup, Final {
        headline: &["the log group of the task does not exist"],
        action: &["create the log group"],
        command: &[
            "aws logs create-log-group --log-group-name {group}",
            SHOW_DEFINITION,
            SHOW_CONFIG,
        ],
    }
    LogDenied = "log-denied", "config", Setup, Final {
        headline: &["the execution role may not write the container's log"],
        action: &["allow logs:CreateLogStream and logs:PutLogEvents on the execution role, and logs:CreateLogGroup if the task creates the group"],
        command: &[SHOW_DEFINITION, SHOW_CONFIG],
    }
    LogUnreachable = "log-unreachable", "network", Setup, Retry {
        headline: &["the task cannot reach CloudWatch Logs"],
        action: &["give the subnet a NAT gateway, or an interface endpoint for logs whose security group allows port 443"],
        command: &[CHECK_ACCOUNT],
    }
    LogDriver = "log-driver", "config", Setup, Final {
        headline: &["the container's log driver did not start"],
        action: &["correct `logConfiguration` in the task definition"],
        command: &[SHOW_DEFINITION, SHOW_CONFIG],
    }
    EnvFileUnreachable = "env-file-unreachable", "network", Setup, Retry {
        headline: &["the task cannot reach S3 for an environment file"],
        action: &["give the subnet a gateway endpoint for S3, or a NAT gateway"],
        command: &[CHECK_ACCOUNT],
    }
    EnvFileDenied = "env-file-denied", "config", Setup, Final {
        headline: &["the execution role may not read an environment file"],
        action: &["allow s3:GetObject on the file and s3:GetBucketLocation on its bucket for the execution role"],
        command: &[SHOW_DEFINITION, SHOW_CONFIG],
    }
    EnvFileMissing = "env-file-missing", "config", Setup, Final {
        headline: &["an environment file of the task does not exist"],
        action: &["upload it, or correct `environmentFiles` in the task definition"],
        command: &[SHOW_DEFINITION, SHOW_CONFIG],
    }
    EfsName = "efs-name", "storage", Setup, Final {
        headline: &[
            "EFS {fs} has no address in this zone",
            "the EFS file system has no address in this zone",
        ],
        action: &["create a mount target in this zone; if there is one, turn on DNS names in the VPC"],
        command: &[CHECK_ACCOUNT],
    }
    EfsBlocked = "efs-blocked", "storage", Setup, Final {
        headline: &[
            "EFS {fs} does not answer on port 2049",
            "the EFS file system does not answer on port 2049",
        ],
        action: &["let the task's security group reach the mount target on port 2049"],
        command: &[CHECK_ACCOUNT],
    }
    EfsDenied = "efs-denied", "storage", Setup, Final {
        headline: &["EFS {fs} refused the mount", "the EFS file system refused the mount"],
        action: &["correct the file system's policy and the task role"],
        command: &[
            "aws efs describe-file-system-policy --file-system-id {fs}",
            "aws efs describe-file-systems",
        ],
    }
    EfsPath = "efs-path", "storage", Setup, Final {
        headline: &[
            "the folder does not exist on EFS {fs}",
            "the folder does not exist on the EFS file system",
        ],
        action: &["use an access point that creates the folder"],
        command: &[
            "aws efs describe-access-points --file-system-id {fs}",
            "aws efs describe-access-points",
        ],
    }
    AccessPointMissing = "access-point-missing", "storage", Setup, Final {
        headline: &[
            "the volume `{volume}` has no access point for this job",
            "a volume has no access point for this job",
        ],
        action: &["let someone with the rights of an administrator run `fargate-runner efs apply`"],
        command: &["{efs_command}", "fargate-runner efs plan"],
    }
    AccessPointAmbiguous = "access-point-ambiguous", "storage", Setup, Final {
        headline: &[
            "the volume `{volume}` has several access points for this job",
            "a volume has several access points for this job",
        ],
        action: &["look at them, and delete all but one; the files stay"],
        command: &[
            "aws efs describe-access-points --file-system-id {fs}",
            "aws efs describe-access-points",
        ],
    }
    ContainerStart = "container-start", "config", Setup, Final {
        headline: &["the container could not start"],
        action: &["run the image's start command by hand"],
        command: &["docker run --rm -it {image}", SHOW_DEFINITION, SHOW_CONFIG],
    }
    ContainerSlow = "container-slow", "aws", Aws, Retry {
        headline: &["Fargate did not start the container in time"],
        action: &["if it happens again, look at the image's size and the container's volumes"],
        command: &[SHOW_TASK, SHOW_CONFIG],
    }
    VolumeFailed = "volume-failed", "storage", Setup, Final {
        headline: &["a volume of the task could not be created"],
        action: &["correct the volumes of the task definition"],
        command: &[SHOW_DEFINITION, SHOW_CONFIG],
    }
    TaskSize = "task-size", "config", Setup, Final {
        headline: &["Fargate does not offer this pair of CPU and memory"],
        action: &["set `cpu` and `memory` to a pair that Fargate offers"],
        command: &[SHOW_CONFIG],
    }
    TaskDefMissing = "task-def-missing", "config", Setup, Final {
        headline: &[
            "task definition {task_definition} is missing or inactive",
            "the task definition is missing or inactive",
        ],
        action: &["register it again, or correct `task_definition`"],
        command: &[SHOW_DEFINITION, SHOW_CONFIG],
    }
    ProfileNotForJob = "profile-not-for-job", "config", Setup, Final {
        headline: &["{refusal}", "the runner's configuration has no profile for this job"],
        action: &["ask for `projects` and `refs` of a profile that names this job's project and branch"],
        command: &[SHOW_CONFIG],
    }
    UnsupportedRequest = "unsupported-request", "config", Job, Final {
        headline: &["this job asks for what this runner does not give"],
        action: &[
            "leave it out of `.gitlab-ci.yml`, or ask whoever runs the CI platform: `on_unsupported` of profile {profile} refuses such jobs",
            "leave it out of `.gitlab-ci.yml`, or ask whoever runs the CI platform: `on_unsupported` refuses such jobs",
        ],
        command: &[],
    }
    DefinitionUnusable = "definition-unusable", "config", Setup, Final {
        headline: &["profile and template make no task definition that ECS would take"],
        action: &["correct the keys of the profile, or the file that `task_definition_template` names"],
        command: &[
            "fargate-runner --profile {profile} task-definition render",
            "fargate-runner task-definition render",
        ],
    }
    ContainerMissing = "container-missing", "config", Setup, Final {
        headline: &[
            "task definition {task_definition} has no container {container}",
            "the task definition has no such container",
        ],
        action: &["correct `container` in the configuration"],
        command: &[
            "aws ecs describe-task-definition --task-definition {task_definition} --query \"taskDefinition.containerDefinitions[].name\"",
            SHOW_CONFIG,
        ],
    }
    ClusterMissing = "cluster-missing", "config", Setup, Final {
        headline: &[
            "cluster {cluster} does not exist in {region}",
            "the cluster does not exist in this Region",
        ],
        action: &["correct `cluster`, or create the cluster"],
        command: &["aws ecs create-cluster --cluster-name {cluster}", "aws ecs list-clusters"],
    }
    SpotOff = "spot-off", "config", Setup, Final {
        headline: &[
            "cluster {cluster} does not offer the capacity provider",
            "the cluster does not offer the capacity provider",
        ],
        action: &["associate the capacity provider with the cluster"],
        command: &[
            "aws ecs put-cluster-capacity-providers --cluster {cluster} --capacity-providers FARGATE FARGATE_SPOT --default-capacity-provider-strategy capacityProvider=FARGATE,weight=1",
            "aws ecs describe-clusters --include SETTINGS",
        ],
    }
    NetworkMismatch = "network-mismatch", "config", Setup, Final {
        headline: &["the security groups and the subnet are in different VPCs"],
        action: &["use security groups and subnets of one VPC"],
        command: &[
            "aws ec2 describe-security-groups --group-ids {security_groups} --query \"SecurityGroups[].[GroupId,VpcId]\" --output text",
            SHOW_CONFIG,
        ],
    }
    RequestRefused = "request-refused", "config", Setup, Final {
        headline: &["ECS refused to start the task"],
        action: &["correct what the answer of ECS names"],
        command: &[SHOW_CONFIG],
    }
    RoleUnassumed = "role-unassumed", "iam", Setup, Retry {
        headline: &["ECS cannot assume a role of the task"],
        action: &["name ecs-tasks.amazonaws.com in the role's trust policy; a new role needs a minute"],
        command: &[SHOW_DEFINITION, SHOW_CONFIG],
    }
    ServiceRoleMissing = "service-role-missing", "iam", Setup, Retry {
        headline: &["ECS cannot assume its service-linked role in this account"],
        action: &["create the role once for the account; a new role needs a minute"],
        command: &["aws iam create-service-linked-role --aws-service-name ecs.amazonaws.com"],
    }
    NotAllowed = "not-allowed", "config", Setup, Final {
        headline: &["this host's role may not {action}", "this host's role lacks a right"],
        action: &["allow exactly this action"],
        command: &[SHOW_IDENTITY],
    }
    Credentials = "credentials", "config", Setup, Final {
        headline: &["the AWS credentials of this host do not work"],
        action: &["renew the credentials"],
        command: &[SHOW_IDENTITY],
    }
    CredentialsMissing = "credentials-missing", "config", Setup, Final {
        headline: &["this host has no AWS credentials"],
        action: &["give this host a role, or name a profile in AWS_PROFILE"],
        command: &[SHOW_IDENTITY],
    }
    AwsProfile = "aws-profile", "config", Setup, Final {
        headline: &[
            "the AWS profile {profile} gives no credentials",
            "the AWS profile gives no credentials",
        ],
        action: &[
            "correct the profile in {path}, or log in again",
            "correct the profile, or log in again",
        ],
        command: &["aws sts get-caller-identity --profile {profile}", "aws configure list"],
    }
    EndpointUnusable = "endpoint-unusable", "network", Setup, Final {
        headline: &[
            "{variable} is not the URL of an endpoint",
            "endpoint_url in {path} is not the URL of an endpoint",
            "a setting of this host is not the URL of an endpoint",
        ],
        action: &["write it as https://HOST, or unset it for this host's runner"],
        command: &["printenv {variable}", "grep -n endpoint_url {path}", "printenv"],
    }
    AnswerUnreadable = "answer-unreadable", "network", Setup, Wait {
        headline: &["the answer of {endpoint} cannot be read", "the answer of AWS cannot be read"],
        action: &["find out what answers there: it may be a proxy or another program"],
        command: &[CALL_ENDPOINT, SHOW_IDENTITY],
    }
    RegionMissing = "region-missing", "config", Setup, Final {
        headline: &["the AWS Region is not known"],
        action: &["set `region` in the configuration, or AWS_REGION"],
        command: &[SHOW_CONFIG],
    }
    RegionUnusable = "region-unusable", "config", Setup, Final {
        headline: &["{region} is not an AWS Region", "the Region is not an AWS Region"],
        action: &["correct `region` in the configuration, or AWS_REGION"],
        command: &[SHOW_CONFIG],
    }
    CaBundle = "ca-bundle", "config", Setup, Final {
        headline: &["the CA bundle {path} cannot be used", "the CA bundle cannot be used"],
        action: &["name a readable PEM file with certificates in `ca_bundle` or AWS_CA_BUNDLE"],
        command: &["openssl x509 -noout -subject -in {path}", SHOW_CONFIG],
    }
    ProxyUnusable = "proxy-unusable", "network", Setup, Final {
        headline: &[
            "{variable} is not the URL of an HTTP proxy",
            "the proxy setting of this host is not the URL of an HTTP proxy",
        ],
        action: &["write it as http://HOST:PORT, or unset it for this host's runner"],
        command: &["printenv {variable}", "printenv"],
    }
    ProxyRefused = "proxy-refused", "network", Setup, Final {
        headline: &["the proxy {proxy} asks for a login", "the proxy asks for a login"],
        action: &["write user and password into the proxy's URL, as http://USER:PASSWORD@HOST:PORT"],
        command: &[CALL_THROUGH_PROXY, "printenv HTTPS_PROXY"],
    }
    ProxyUnreachable = "proxy-unreachable", "network", Setup, Wait {
        headline: &[
            "the proxy {proxy} does not connect to {endpoint}",
            "the proxy does not connect to AWS",
        ],
        action: &["check that the proxy runs and allows the connection, or name the host in NO_PROXY"],
        command: &[CALL_THROUGH_PROXY, "printenv HTTPS_PROXY"],
    }
    CertificateUntrusted = "certificate-untrusted", "network", Setup, Final {
        headline: &[
            "the certificate of {endpoint} is not trusted",
            "the certificate of an AWS endpoint is not trusted",
        ],
        action: &["name the PEM file of its authority in `ca_bundle` or AWS_CA_BUNDLE"],
        command: &[CALL_ENDPOINT, SHOW_IDENTITY],
    }
    RoleRefused = "role-refused", "iam", Setup, Final {
        headline: &["this host may not assume {role}", "this host may not assume its role"],
        action: &["allow sts:AssumeRole on the role, and name this host and the external id in the role's trust policy"],
        command: &[SHOW_IDENTITY],
    }
    NoPublicAddress = "no-public-address", "network", Setup, Final {
        headline: &["the task got no public address"],
        action: &["use a subnet with an internet gateway, or connect to the private address"],
        command: &[
            "aws ec2 describe-network-interfaces --network-interface-ids {interface}",
            SHOW_CONFIG,
        ],
    }
    AddressMissing = "address-missing", "aws", Aws, Final {
        headline: &["ECS gave no address for the running task"],
        action: &["start the job again; if it happens again, look at the task's network interface"],
        command: &[SHOW_TASK, SHOW_CONFIG],
    }
    Clock = "clock", "host", Setup, Final {
        headline: &["this host's clock differs from AWS's"],
        action: &["turn on time synchronisation"],
        command: &["sudo timedatectl set-ntp true"],
    }
    AccountBlocked = "account-blocked", "aws", Aws, Final {
        headline: &["AWS has blocked this account"],
        action: &["open a support case: only AWS can remove the block"],
        command: &["https://console.aws.amazon.com/support/home#/case/create"],
    }
    AgentBlocked = "agent-blocked", "network", Setup, Final {
        headline: &[
            "the task runs, but port {port} does not answer",
            "the task runs, but does not answer",
        ],
        action: &["let this host in: correct the task's security groups"],
        command: &[CHECK_ACCOUNT],
    }
    AgentRefused = "agent-refused", "agent", Setup, Final {
        headline: &[
            "the task runs, but nothing listens on port {port}",
            "the task runs, but nothing listens on its port",
        ],
        action: &["start the agent by hand in the image"],
        command: &[RUN_AGENT, SHOW_DEFINITION, SHOW_CONFIG],
    }
    AgentExited = "agent-exited", "agent", Setup, Final {
        headline: &["the agent ended at once"],
        action: &["look at the container's log; the usual reasons are a wrong architecture and a read-only root file system"],
        command: &[RUN_AGENT, SHOW_DEFINITION, SHOW_CONFIG],
    }
    AgentSettings = "agent-settings", "agent", Setup, Final {
        headline: &["the agent refused its settings"],
        action: &["look at the container's log, which names the variable; put the agent of this release into the image; the task definition may set FARGATE_RUNNER_REKEY_MIB and no other FARGATE_RUNNER_ variable"],
        command: &[RUN_AGENT, SHOW_DEFINITION, SHOW_CONFIG],
    }
    AgentVersion = "agent-version", "agent", Setup, Final {
        headline: &["the agent in the image is too old or too new for this driver"],
        action: &["put the agent of this release into the image"],
        command: &["fargate-runner --version"],
    }
    AgentWithoutFiles = "agent-without-files", "agent", Setup, Final {
        headline: &["the agent in the image does not write secrets into files"],
        action: &["put the agent of this release into the image, or leave out `as_file` in `secrets` of the profile"],
        command: &["fargate-runner --version"],
    }
    LoginRefused = "login-refused", "agent", Setup, Final {
        headline: &["the agent refused our key"],
        action: &["set `ssh.user` to the user that the agent of the image serves"],
        command: &[SHOW_CONFIG],
    }
    /// A stock SSH server does not let our key in.
    KeyRefused = "key-refused", "agent", Setup, Final {
        headline: &["the SSH server of the image refused our key"],
        action: &["check `ssh.user` and that its account is not locked; if the server takes no ed25519 keys, set `ssh.client_key = \"rsa\"`"],
        command: &["docker run --rm {image} /usr/sbin/sshd -T", SHOW_DEFINITION, SHOW_CONFIG],
    }
    /// A stock SSH server takes no key of our kind.
    KeyKindRefused = "key-kind-refused", "agent", Setup, Final {
        headline: &["the task's SSH server takes no ed25519 keys"],
        action: &["set `ssh.client_key = \"rsa\"`"],
        command: &[SHOW_CONFIG],
    }
    Handshake = "handshake", "agent", Aws, Retry {
        headline: &["the SSH handshake did not finish"],
        action: &["if it happens again, look for a proxy in between"],
        command: &[SHOW_TASK, SHOW_CONFIG],
    }
    WrongHost = "wrong-host", "security", Setup, Final {
        headline: &["another machine answered in the task's place"],
        action: &["treat this as a security incident; find out which machine has the address"],
        command: &[
            "aws ec2 describe-network-interfaces --filters Name=private-ip-address,Values={ip}",
            SHOW_CONFIG,
        ],
    }
    /// The proof of `host_key = "sts"` did not come.
    HostProofMissing = "host-proof-missing", "agent", Setup, Final {
        headline: &["the task gave no proof of its host key by its role"],
        action: &["put the agent of this release into the image and name `taskRoleArn` in the task definition, or choose another mode: `host_key = \"seed\"`, or `\"first_use\"` for images with an sshd of their own"],
        command: &[SHOW_DEFINITION, SHOW_CONFIG],
    }
    /// STS could not be asked about the proof of `host_key = "sts"`.
    HostProofUnchecked = "host-proof-unchecked", "network", Setup, Retry {
        headline: &[
            "STS at {endpoint} could not be asked who proved the task's host key",
            "STS could not be asked who proved the task's host key",
        ],
        action: &["let this host reach STS by HTTPS, or choose another mode: `host_key = \"seed\"`, or `\"first_use\"` for images with an sshd of their own"],
        command: &[CALL_ENDPOINT, SHOW_CONFIG],
    }
    /// STS did not accept the proof of `host_key = "sts"`.
    HostProofRefused = "host-proof-refused", "security", Person, Final {
        headline: &["STS refused the proof of the task's host key"],
        action: &["treat this as a security incident, unless STS says that the time is wrong or that it does not know these keys; other modes are `host_key = \"seed\"` and `\"first_use\"`"],
        command: &[
            "aws ec2 describe-network-interfaces --filters Name=private-ip-address,Values={ip}",
            SHOW_CONFIG,
        ],
    }
    /// The proof of `host_key = "sts"` is of another role.
    HostProofRole = "host-proof-role", "security", Setup, Final {
        headline: &[
            "another role than {role} proved the task's host key",
            "another role than the task's proved its host key",
        ],
        action: &["compare `task_role` with `taskRoleArn` of the task definition; if both are one role, treat this as a security incident; other modes are `host_key = \"seed\"` and `\"first_use\"`"],
        command: &[SHOW_DEFINITION, SHOW_CONFIG],
    }
    /// The proof of `host_key = "sts"` is of another task.
    HostProofTask = "host-proof-task", "security", Person, Final {
        headline: &["another task than ours proved the host key"],
        action: &["treat this as a security incident; if the session's name is of another form than the id of a task, choose another mode: `host_key = \"seed\"`, or `\"first_use\"` for images with an sshd of their own"],
        command: &[SHOW_TASK, SHOW_CONFIG],
    }
    StartTimeout = "start-timeout", "aws", Aws, Final {
        headline: &["the task did not start in {limit}", "the task did not start in time"],
        action: &["raise `timeouts.task_start` only if starts are usually this slow"],
        command: &[SHOW_CONFIG],
    }
    ConnectionLost = "connection-lost", "agent", Runner, Final {
        headline: &["the connection to the task was lost"],
        action: &["start the job again: Fargate Runner did not repeat the script, because parts of it may have run"],
        command: &[],
    }
    LoginShell = "login-shell", "image", Setup, Final {
        headline: &["the login shell in the task ran none of our commands"],
        action: &["give the user of `ssh.user` bash or sh as its login shell"],
        command: &["docker run --rm {image} getent passwd", SHOW_DEFINITION, SHOW_CONFIG],
    }
    ShellMissing = "shell-missing", "image", Setup, Final {
        headline: &["the image has no {program}", "the image lacks a program"],
        action: &["add it to the image, or set `shell`"],
        command: &["docker run --rm {image} {program} --version", SHOW_DEFINITION, SHOW_CONFIG],
    }
    OutOfMemory = "out-of-memory", "resources", Job, Final {
        headline: &["out of memory (limit {memory})", "out of memory"],
        action: &["give the job a larger task"],
        command: &[SHOW_CONFIG],
    }
    Spot = "spot", "spot", Aws, Final {
        headline: &["AWS took the Spot task back"],
        action: &[RETRY_TWICE],
        command: &[],
    }
    HostRetired = "host-retired", "aws", Aws, Final {
        headline: &["AWS replaced the machine under the task"],
        action: &[RETRY_ONCE],
        command: &[],
    }
    StoppedBy = "stopped-by", "stopped", Person, Final {
        headline: &["someone stopped the task in AWS"],
        action: &["find out who stopped it"],
        command: &["aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=StopTask --max-results 20"],
    }
    StoppedByCleanup = "stopped-by-cleanup", "stopped", Runner, Final {
        headline: &["the job's clean-up stopped the task"],
        action: &["find out in GitLab Runner's log why it cleaned up"],
        command: &[SHOW_RUNNER_LOG],
    }
    Cancelled = "cancelled", "stopped", Person, Final {
        headline: &["cancelled"],
        action: &[],
        command: &[],
    }
    JobTimeout = "job-timeout", "stopped", Job, Final {
        headline: &["the job ran into its time limit ({limit})", "the job ran into its time limit"],
        action: &["give it more time, or find what hangs"],
        command: &["fargate-runner jobs show {id} --events", "fargate-runner jobs list"],
    }
    DriverKilled = "driver-killed", "host", Setup, Final {
        headline: &["the process of stage {stage} was killed", "a process of the job was killed"],
        action: &["look for the OOM killer on this host"],
        command: &["journalctl -k --grep \"Out of memory\""],
    }
    MaxLifetime = "max-lifetime", "stopped", Runner, Final {
        headline: &["the task reached its maximum lifetime"],
        action: &["raise `timeouts.lifetime_margin` or the job's own time limit"],
        command: &[SHOW_CONFIG],
    }
    Idle = "idle", "stopped", Runner, Final {
        headline: &["no client connected to the task for too long"],
        action: &["find out what this host did at that time"],
        command: &[SHOW_RUNNER_LOG],
    }
    StateFull = "state-full", "host", Setup, Final {
        headline: &[
            "the job's state cannot be kept in {path}",
            "the job's state cannot be kept on this host",
        ],
        action: &[
            "free the disk, or make it readable and writable for {user}",
            "free the disk, or make `state_dir` readable and writable for this user",
        ],
        command: &["df -h {path}", "df -h"],
    }
    StateDamaged = "state-damaged", "host", Setup, Final {
        headline: &[
            "the name of this host cannot be read from {host_name}",
            "the state file of this job cannot be read",
        ],
        action: &[
            "remove {host_name}, so that the next job gives this host a new name",
            "start the job again",
        ],
        command: &["ls -ld {path}", SHOW_CONFIG],
    }
    StateNewer = "state-newer", "host", Setup, Final {
        headline: &["a newer Fargate Runner wrote the state of this job"],
        action: &["install that version again"],
        command: &["fargate-runner --version"],
    }
    StateDistrusted = "state-distrusted", "host", Setup, Final {
        headline: &[
            "another user may have written {path}",
            "another user may have written the job's state",
        ],
        action: &[
            "look at it with `ls -ld {path}`, then correct it",
            "look at the owner and the mode of `state_dir`, then correct them",
        ],
        command: &["{mend}", SHOW_CONFIG],
    }
    HostRefused = "host-refused", "host", Setup, Final {
        headline: &["this host refused {doing}", "this host refused what the driver needs"],
        action: &["look at the limits of this host on memory, files and processes"],
        command: &["ulimit -a"],
    }
    TaskBusy = "task-busy", "agent", Setup, Final {
        headline: &["an earlier script still runs in the task and cannot be ended"],
        action: &["look for a process that waits for storage, such as EFS"],
        command: &[SHOW_TASK, SHOW_CONFIG],
    }
    ScriptTooLarge = "script-too-large", "script", Job, Final {
        headline: &["the agent refused the script"],
        action: &["read what the agent says; the limit is 256 MiB"],
        command: &[],
    }
    StateMissing = "state-missing", "host", Setup, Final {
        headline: &["this job was not prepared on this host"],
        action: &["check that `prepare` and `run` use the same `state_dir`"],
        command: &[SHOW_CONFIG],
    }
    AlreadyPrepared = "already-prepared", "host", Setup, Final {
        headline: &["another process is preparing this job"],
        action: &["check whether two runners share one registration"],
        command: &["ps -ef"],
    }
    /// No other task of the job may start then.
    FormerTaskStays = "former-task-stays", "stopped", Setup, Retry {
        headline: &["a task of an earlier try could not be stopped"],
        action: &["look at what AWS answered; `fargate-runner tasks reap` stops the task later"],
        command: &["fargate-runner tasks reap"],
    }
    /// A launch was sent again with other parameters, and ECS refused it.
    LaunchChanged = "launch-changed", "config", Setup, Retry {
        headline: &["the configuration changed between two tries"],
        action: &["wait: the former task is being stopped, and then a new one starts"],
        command: &[SHOW_CONFIG],
    }
    ScriptFailed = "script-failed", "script", Job, Final {
        headline: &["script failed with exit {code}", "the script failed"],
        action: &["read the end of the log in {forge}", "read the end of the job's log"],
        command: &["fargate-runner jobs show {id}", "fargate-runner jobs list"],
    }
    ScriptSignal = "script-signal", "script", Job, Final {
        headline: &["script was ended by {signal}", "the script was ended by a signal"],
        action: &["look for kill or for a limit inside the script"],
        command: &["fargate-runner jobs show {id}", "fargate-runner jobs list"],
    }
    EnvironmentEnded = "environment-ended", "script", Job, Final {
        headline: &["the job ended its own environment"],
        action: &["look for kill, reboot or firewall commands in the script"],
        command: &[],
    }
    ContainerEnded = "container-ended", "config", Setup, Final {
        headline: &[
            "container {other} of the task ended ({ended})",
            "another container of the task ended",
        ],
        action: &["find out why it ended; if jobs can go on without it, set `essential` to false"],
        command: &[SHOW_DEFINITION, SHOW_CONFIG],
    }
    Superseded = "superseded", "agent", Runner, Final {
        headline: &["another stage of this job began while this one ran"],
        action: &["find out why gitlab-runner did not wait"],
        command: &[SHOW_RUNNER_LOG],
    }
    Expired = "expired", "aws", Aws, Final {
        headline: &["ECS no longer remembers this task"],
        action: &[RETRY_ONCE],
        command: &[],
    }
    Output = "output-closed", "host", Setup, Final {
        headline: &["the job's log could not be written"],
        action: &["check whether gitlab-runner was killed"],
        command: &[SHOW_RUNNER_LOG],
    }
    Unknown = "unknown", "aws", Nobody, Final {
        headline: &["the task ended for a reason that is not recognised"],
        action: &["read what ECS said; look at the task in the ECS console"],
        command: &[SHOW_TASK, SHOW_CONFIG],
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

    /// A fact's name in braces or in angle brackets that was not replaced.
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

    /// The names of all facts in an entry's texts.
    fn names(entry: &CatalogueEntry) -> BTreeSet<&'static str> {
        let texts = [entry.headline, entry.action, entry.command].into_iter().flatten();
        let inside = texts.flat_map(|text| text.split('{').skip(1));
        let names = inside.filter_map(|rest| rest.split('}').next());
        names.filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_')).collect()
    }

    /// Cases: no fact is known, all are, all but one, only one.
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
            for headline in entry.headline {
                assert!(headline.len() <= 70, "{headline}");
                assert!(!headline.ends_with('.'), "{headline}");
            }
            let needs_none = matches!(cause, FailureCause::Cancelled);
            assert!(needs_none || !entry.action.is_empty(), "{cause:?}");
        }
    }

    #[test]
    fn braces_of_a_line_to_paste_are_its_own() {
        let action = CauseReport::new(FailureCause::Spot).action();
        assert!(action.ends_with("`retry: { max: 2, when: runner_system_failure }`"), "{action}");
    }

    #[test]
    fn a_fact_is_one_word_for_a_shell() {
        let why = CauseReport::new(FailureCause::ImageArch).with("image", "acme/ci:1;reboot $(x)");
        let command = why.command().unwrap();
        assert_eq!(command, "docker buildx imagetools inspect 'acme/ci:1;reboot' '$(x)'");
    }
}
