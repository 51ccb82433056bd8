//! The entries. Sources of the texts that they are recognised by stand beside the recognition,
//! in the driver.

use serde::{Deserialize, Serialize};

use super::{Entry, Next, Who};

/// A cause, known by its slug wherever it is written down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each variant's headline says what it is")]
pub enum Cause {
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
    #[serde(rename = "ecr-unreachable")]
    EcrUnreachable,
    #[serde(rename = "image-disk")]
    ImageDisk,
    #[serde(rename = "secret-unreachable")]
    SecretUnreachable,
    #[serde(rename = "secret-denied")]
    SecretDenied,
    #[serde(rename = "secret-missing")]
    SecretMissing,
    #[serde(rename = "log-group")]
    LogGroup,
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
    #[serde(rename = "not-allowed")]
    NotAllowed,
    #[serde(rename = "credentials")]
    Credentials,
    #[serde(rename = "region-missing")]
    RegionMissing,
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
    #[serde(rename = "agent-version")]
    AgentVersion,
    #[serde(rename = "login-refused")]
    LoginRefused,
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

impl Cause {
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
        Self::AwsInternal,
        Self::ImageNotFound,
        Self::ImageDenied,
        Self::ImageArch,
        Self::RegistryLimit,
        Self::RegistryNoRoute,
        Self::RegistryBlob,
        Self::EcrUnreachable,
        Self::ImageDisk,
        Self::SecretUnreachable,
        Self::SecretDenied,
        Self::SecretMissing,
        Self::LogGroup,
        Self::EfsName,
        Self::EfsBlocked,
        Self::EfsDenied,
        Self::EfsPath,
        Self::ContainerStart,
        Self::TaskSize,
        Self::TaskDefMissing,
        Self::ContainerMissing,
        Self::ClusterMissing,
        Self::SpotOff,
        Self::NetworkMismatch,
        Self::RequestRefused,
        Self::NotAllowed,
        Self::Credentials,
        Self::RegionMissing,
        Self::CaBundle,
        Self::ProxyUnusable,
        Self::ProxyRefused,
        Self::ProxyUnreachable,
        Self::CertificateUntrusted,
        Self::RoleRefused,
        Self::NoPublicAddress,
        Self::Clock,
        Self::AccountBlocked,
        Self::AgentBlocked,
        Self::AgentRefused,
        Self::AgentExited,
        Self::AgentVersion,
        Self::LoginRefused,
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
    pub fn entry(self) -> Entry {
        use Next::{Final, Retry, Wait};
        use Who::{Aws, Job, Person, Runner, Setup};
        let entry = |slug, class, who, next, headline, action, command| Entry {
            slug, class, who, next, headline, action, command,
        };
        match self {
            Self::Paused => entry("paused", "stopped", Person, Wait, "intake is paused by {who}", "resume when the reason is gone", "fargate-runner resume"),
            Self::Draining => entry("draining", "stopped", Person, Wait, "this host takes no new jobs", "let another host take them, or end the drain", "fargate-runner resume"),
            Self::NoCapacity => entry("no-capacity", "capacity", Aws, Wait, "no Fargate capacity in {zones}", "add a subnet in another zone, or allow Spot or on demand as a second choice", "aws ec2 describe-subnets --subnet-ids {subnets} --query \"Subnets[].[SubnetId,AvailabilityZone]\" --output text"),
            Self::QuotaVcpu => entry("quota-vcpu", "quota", Aws, Wait, "the account's vCPU quota is used up", "ask AWS for a larger quota", "aws service-quotas get-service-quota --service-code fargate --quota-code L-3032A538"),
            Self::Throttled => entry("throttled", "throttled", Aws, Wait, "AWS limits how fast tasks start", "see who else calls ECS in this account", "aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=RunTask --max-results 50"),
            Self::SubnetFull => entry("subnet-full", "capacity", Setup, Wait, "subnet {subnet} has no free address", "add a larger subnet", "aws ec2 describe-subnets --subnet-ids {subnets} --query \"Subnets[].[SubnetId,AvailableIpAddressCount]\" --output text"),
            Self::AwsUnreachable => entry("aws-unreachable", "network", Setup, Wait, "this host cannot reach {endpoint}", "check DNS, proxy and route of this host", "curl -sv -m 5 {endpoint}"),
            Self::EniTimeout => entry("eni-timeout", "aws", Aws, Retry, "AWS did not attach a network interface in time", "look at the task if it repeats", "aws ecs describe-tasks --cluster {cluster} --tasks {task}"),
            Self::AwsInternal => entry("aws-internal", "aws", Aws, Retry, "AWS had an internal error", "look at the AWS health page if it repeats", "https://health.aws.amazon.com/health/status"),
            Self::ImageNotFound => entry("image-not-found", "image", Setup, Final, "image {image} does not exist", "correct the image in the task definition, or push it", "aws ecs describe-task-definition --task-definition {task_definition}"),
            Self::ImageDenied => entry("image-denied", "image", Setup, Final, "the registry refused the image", "check that the registry accepts the login of the task definition", "aws ecs describe-task-definition --task-definition {task_definition}"),
            Self::ImageArch => entry("image-arch", "image", Setup, Final, "the image is not built for this architecture", "build it for the task definition's architecture", "docker buildx imagetools inspect {image}"),
            Self::RegistryLimit => entry("registry-limit", "image", Setup, Wait, "Docker Hub limits pulls from this address", "log in to the registry or mirror the image", "aws ecs describe-task-definition --task-definition {task_definition}"),
            Self::RegistryNoRoute => entry("registry-no-route", "network", Setup, Retry, "the task cannot reach the registry", "give the subnet a route to a NAT gateway", "aws ec2 describe-route-tables --filters Name=association.subnet-id,Values={subnet} --query \"RouteTables[].Routes\""),
            Self::RegistryBlob => entry("registry-blob", "network", Setup, Retry, "the registry answered, its layers did not load", "open S3: a gateway endpoint or NAT", "aws ec2 describe-route-tables --filters Name=association.subnet-id,Values={subnet} --query \"RouteTables[].Routes\""),
            Self::EcrUnreachable => entry("ecr-unreachable", "network", Setup, Retry, "the task cannot reach ECR", "give the subnet a NAT gateway, or endpoints for ecr.api, ecr.dkr and S3", "aws ec2 describe-route-tables --filters Name=association.subnet-id,Values={subnet} --query \"RouteTables[].Routes\""),
            Self::ImageDisk => entry("image-disk", "resources", Setup, Final, "the image does not fit on the task's disk", "raise ephemeralStorage in the task definition, 21 to 200 GiB", "aws ecs describe-task-definition --task-definition {task_definition}"),
            Self::SecretUnreachable => entry("secret-unreachable", "network", Setup, Retry, "the task cannot reach Secrets Manager", "give the subnet a NAT gateway, or an interface endpoint whose group allows 443", "aws ec2 describe-route-tables --filters Name=association.subnet-id,Values={subnet} --query \"RouteTables[].Routes\""),
            Self::SecretDenied => entry("secret-denied", "secret", Setup, Final, "the execution role may not read a secret", "allow secretsmanager:GetSecretValue on the execution role", "aws ecs describe-task-definition --task-definition {task_definition}"),
            Self::SecretMissing => entry("secret-missing", "secret", Setup, Final, "a secret of the task is empty or not in this Region", "write its value", "aws secretsmanager list-secrets"),
            Self::LogGroup => entry("log-group", "config", Setup, Final, "the log group of the task does not exist", "create it", "aws logs create-log-group --log-group-name {group}"),
            Self::EfsName => entry("efs-name", "storage", Setup, Final, "EFS {fs} has no address in this zone", "make a mount target in the zone; if it is there, turn DNS names of the VPC on", "aws efs describe-mount-targets --file-system-id {fs}"),
            Self::EfsBlocked => entry("efs-blocked", "storage", Setup, Final, "EFS {fs} does not answer on port 2049", "let the task's security group in", "aws efs describe-mount-targets --file-system-id {fs}"),
            Self::EfsDenied => entry("efs-denied", "storage", Setup, Final, "EFS {fs} refused the mount", "repair the file system's policy and the task role", "aws efs describe-file-system-policy --file-system-id {fs}"),
            Self::EfsPath => entry("efs-path", "storage", Setup, Final, "the folder does not exist on EFS {fs}", "use an access point that creates it", "aws efs describe-access-points --file-system-id {fs}"),
            Self::ContainerStart => entry("container-start", "config", Setup, Final, "the container could not start", "run the image's start command by hand", "docker run --rm -it {image}"),
            Self::TaskSize => entry("task-size", "config", Setup, Final, "this CPU and memory is not a Fargate size", "set `cpu` and `memory` to a pair that Fargate offers", "fargate-runner config show"),
            Self::TaskDefMissing => entry("task-def-missing", "config", Setup, Final, "task definition {task_definition} is missing or inactive", "register it again, or correct `task_definition`", "aws ecs describe-task-definition --task-definition {task_definition}"),
            Self::ContainerMissing => entry("container-missing", "config", Setup, Final, "task definition {task_definition} has no container {container}", "correct `container` in the configuration", "aws ecs describe-task-definition --task-definition {task_definition} --query \"taskDefinition.containerDefinitions[].name\""),
            Self::ClusterMissing => entry("cluster-missing", "config", Setup, Final, "cluster {cluster} does not exist in {region}", "correct `cluster` or create it", "aws ecs create-cluster --cluster-name {cluster}"),
            Self::SpotOff => entry("spot-off", "config", Setup, Final, "cluster {cluster} does not offer the capacity provider", "associate it with the cluster", "aws ecs put-cluster-capacity-providers --cluster {cluster} --capacity-providers FARGATE FARGATE_SPOT --default-capacity-provider-strategy capacityProvider=FARGATE,weight=1"),
            Self::NetworkMismatch => entry("network-mismatch", "config", Setup, Final, "the security groups and the subnet are in different networks", "use groups and subnets of one VPC", "aws ec2 describe-security-groups --group-ids {security_groups} --query \"SecurityGroups[].[GroupId,VpcId]\" --output text"),
            Self::RequestRefused => entry("request-refused", "config", Setup, Final, "ECS refused to start the task", "correct what ECS names", "fargate-runner config show"),
            Self::NotAllowed => entry("not-allowed", "config", Setup, Final, "this host's role may not {action}", "allow exactly this action", "aws sts get-caller-identity"),
            Self::Credentials => entry("credentials", "config", Setup, Final, "the AWS credentials of this host do not work", "renew them", "aws sts get-caller-identity"),
            Self::RegionMissing => entry("region-missing", "config", Setup, Final, "no AWS Region is known", "set `region` in the configuration, or AWS_REGION", "fargate-runner config show"),
            Self::CaBundle => entry("ca-bundle", "config", Setup, Final, "the CA bundle {path} cannot be used", "name a readable PEM file with certificates in `ca_bundle` or AWS_CA_BUNDLE", "openssl x509 -noout -subject -in {path}"),
            Self::ProxyUnusable => entry("proxy-unusable", "network", Setup, Final, "{variable} names no HTTP proxy", "write it as http://HOST:PORT, or unset it for this host's runner", "printenv {variable}"),
            Self::ProxyRefused => entry("proxy-refused", "network", Setup, Final, "the proxy {proxy} asks for a login", "write user and password into the proxy's URL, as http://USER:PASSWORD@HOST:PORT", "curl -sv -m 5 -x {proxy} {endpoint}"),
            Self::ProxyUnreachable => entry("proxy-unreachable", "network", Setup, Wait, "the proxy {proxy} gives no way to {endpoint}", "check that the proxy runs and allows it, or name the host in NO_PROXY", "curl -sv -m 5 -x {proxy} {endpoint}"),
            Self::CertificateUntrusted => entry("certificate-untrusted", "network", Setup, Final, "the certificate of {endpoint} is not trusted", "name the PEM file of its authority in `ca_bundle` or AWS_CA_BUNDLE", "curl -sv -m 5 {endpoint}"),
            Self::RoleRefused => entry("role-refused", "iam", Setup, Final, "this host may not assume {role}", "allow sts:AssumeRole on it, and let its trust policy name this host and the external id", "aws sts get-caller-identity"),
            Self::NoPublicAddress => entry("no-public-address", "network", Setup, Final, "the task got no public address", "use a subnet with an internet gateway, or dial the private address", "aws ec2 describe-network-interfaces --network-interface-ids {interface}"),
            Self::Clock => entry("clock", "host", Setup, Final, "this host's clock differs from AWS's", "turn time keeping on", "sudo timedatectl set-ntp true"),
            Self::AccountBlocked => entry("account-blocked", "aws", Aws, Final, "AWS has blocked this account", "open a case: only AWS Support can lift this", "https://console.aws.amazon.com/support/home#/case/create"),
            Self::AgentBlocked => entry("agent-blocked", "network", Setup, Final, "the task runs, but port {port} does not answer", "let this host in", "aws ec2 describe-security-groups --group-ids {security_groups} --query \"SecurityGroups[].IpPermissions\""),
            Self::AgentRefused => entry("agent-refused", "agent", Setup, Final, "the task runs, but nothing listens on port {port}", "start the agent by hand in the image", "docker run --rm {image} fargate-agent --version"),
            Self::AgentExited => entry("agent-exited", "agent", Setup, Final, "the agent ended at once", "look at the container's log; a wrong architecture or a read-only root are the usual reasons", "docker run --rm {image} fargate-agent --version"),
            Self::AgentVersion => entry("agent-version", "agent", Setup, Final, "the agent in the image is too old or too new for this driver", "put the agent of this release into the image", "fargate-runner --version"),
            Self::LoginRefused => entry("login-refused", "agent", Setup, Final, "the task refused our key", "set `ssh.user` to the user that the agent of the image serves", "fargate-runner config show"),
            Self::Handshake => entry("handshake", "agent", Aws, Retry, "the SSH handshake did not end", "look for a proxy between, if it repeats", "aws ecs describe-tasks --cluster {cluster} --tasks {task}"),
            Self::WrongHost => entry("wrong-host", "security", Person, Final, "another machine answered in the task's place", "treat as an incident; find who holds the address", "aws ec2 describe-network-interfaces --filters Name=private-ip-address,Values={ip}"),
            Self::StartTimeout => entry("start-timeout", "aws", Aws, Final, "the task did not start in {limit}", "raise `timeouts.start` only if starts are usually this slow", "fargate-runner config show"),
            Self::ConnectionLost => entry("connection-lost", "agent", Runner, Final, "the connection to the task was lost", "start the job again; the script is never run twice", "retry: { max: 1, when: runner_system_failure }"),
            Self::LoginShell => entry("login-shell", "image", Setup, Final, "the login shell in the task ran none of our commands", "give the user of `ssh.user` bash or sh as its login shell", "docker run --rm {image} getent passwd"),
            Self::ShellMissing => entry("shell-missing", "image", Setup, Final, "the image has no {program}", "put it into the image, or set `shell`", "docker run --rm {image} {program} --version"),
            Self::OutOfMemory => entry("out-of-memory", "resources", Job, Final, "out of memory (limit {memory})", "give the job a larger task", "fargate-runner config show"),
            Self::Spot => entry("spot", "spot", Aws, Final, "AWS took the Spot task back", "let GitLab start the job again", "retry: { max: 2, when: runner_system_failure }"),
            Self::HostRetired => entry("host-retired", "aws", Aws, Final, "AWS replaced the machine under the task", "start the job again", "retry: { max: 1, when: runner_system_failure }"),
            Self::StoppedBy => entry("stopped-by", "stopped", Person, Final, "someone stopped the task in AWS", "see who", "aws cloudtrail lookup-events --lookup-attributes AttributeKey=EventName,AttributeValue=StopTask --max-results 20"),
            Self::StoppedByCleanup => entry("stopped-by-cleanup", "stopped", Runner, Final, "the job's clean-up stopped the task", "look in GitLab Runner's log why it cleaned up", "journalctl -u gitlab-runner"),
            Self::Cancelled => entry("cancelled", "stopped", Person, Final, "cancelled", "", ""),
            Self::MaxLifetime => entry("max-lifetime", "stopped", Runner, Final, "the task reached its maximum lifetime", "raise `timeouts.lifetime_margin`, or the job's own time limit", "fargate-runner config show"),
            Self::Idle => entry("idle", "stopped", Runner, Final, "nobody talked to the task for too long", "see what this host did then", "journalctl -u gitlab-runner"),
            Self::StateFull => entry("state-full", "host", Setup, Final, "no room to write the job's state", "free the disk, or make the folder writable", "df -h {path}"),
            Self::StateDamaged => entry("state-damaged", "host", Setup, Final, "the state file of this job cannot be read", "start the job again", "ls -l {path}"),
            Self::HostRefused => entry("host-refused", "host", Setup, Final, "this host refused {doing}", "look for limits on memory, files or processes of this host", "ulimit -a"),
            Self::TaskBusy => entry("task-busy", "agent", Setup, Final, "an earlier script still runs in the task and cannot be ended", "look for a process that hangs in storage, such as EFS", "aws ecs describe-tasks --cluster {cluster} --tasks {task}"),
            Self::ScriptTooLarge => entry("script-too-large", "script", Job, Final, "the script cannot be run as it is", "make it smaller than 256 MiB", ""),
            Self::StateMissing => entry("state-missing", "host", Setup, Final, "this job was not prepared on this host", "see whether `prepare` and `run` use the same `state_dir`", "fargate-runner config show"),
            Self::AlreadyPrepared => entry("already-prepared", "host", Setup, Final, "another process is preparing this job", "see whether two runners share one registration", "ps -ef"),
            Self::EnvironmentEnded => entry("environment-ended", "script", Job, Final, "the job ended its own environment", "look for kill, reboot or firewall commands in the script", ""),
            Self::ContainerEnded => entry("container-ended", "config", Setup, Final, "container {other} of the task ended ({ended})", "see why it ended; set `essential` to false where jobs can go on without it", "aws ecs describe-task-definition --task-definition {task_definition}"),
            Self::Superseded => entry("superseded", "agent", Runner, Final, "another stage of this job began while this one ran", "see why gitlab-runner did not wait", "journalctl -u gitlab-runner"),
            Self::Expired => entry("expired", "aws", Aws, Final, "ECS no longer remembers this task", "start the job again", "retry: { max: 1, when: runner_system_failure }"),
            Self::Output => entry("output-closed", "host", Setup, Final, "the job's log could not be written", "see whether gitlab-runner was ended", "journalctl -u gitlab-runner"),
            Self::Unknown => entry("unknown", "aws", Aws, Final, "ended for a reason this version does not know", "look at the task in the ECS console", "aws ecs describe-tasks --cluster {cluster} --tasks {task}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::why::{Colour, Why};
    use std::collections::BTreeSet;

    #[test]
    fn each_slug_is_written_once_and_is_what_files_hold() {
        let slugs: BTreeSet<_> = Cause::ALL.iter().map(|cause| cause.entry().slug).collect();
        assert_eq!(slugs.len(), Cause::ALL.len());
        for &cause in Cause::ALL {
            let written = serde_json::to_value(cause).unwrap();
            assert_eq!(written, cause.entry().slug);
        }
    }

    #[test]
    fn no_entry_shows_a_brace_when_nothing_is_known() {
        for &cause in Cause::ALL {
            let why = Why::new(cause);
            let block = why.block(Colour::Off);
            let pasted_braces = why.entry().command.starts_with("retry:");
            assert!(pasted_braces || !block.contains('{'), "{block}");
            assert!(why.entry().headline.len() <= 70, "{}", why.entry().headline);
        }
    }
}
