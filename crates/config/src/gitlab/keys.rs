//! Which keys a file of GitLab's driver may have, theirs and ours, each with a line that shows how
//! it is written.

use crate::keys::SectionKeys;

pub(crate) const TOP: SectionKeys = &[
    ("LogLevel", "LogLevel = \"info\""),
    ("LogFile", "LogFile = \"/var/log/fargate.log\""),
    ("LogFormat", "LogFormat = \"text\""),
    ("Fargate", "[Fargate]"),
    ("TaskMetadata", "[TaskMetadata]"),
    ("SSH", "[SSH]"),
    // Ours.
    ("Owner", "Owner = \"ci-host-1\""),
    ("StateDir", "StateDir = \"/var/lib/fargate-runner\""),
];

pub(crate) const FARGATE: SectionKeys = &[
    ("Cluster", "Cluster = \"test-cluster\""),
    ("Region", "Region = \"us-east-2\""),
    ("Subnet", "Subnet = \"subnet-0a1b2c3d4e5f60718\""),
    ("SecurityGroup", "SecurityGroup = \"sg-0a1b2c3d4e5f60718\""),
    ("TaskDefinition", "TaskDefinition = \"test-task:1\""),
    ("EnablePublicIP", "EnablePublicIP = false"),
    ("UsePublicIP", "UsePublicIP = false"),
    ("PlatformVersion", "PlatformVersion = \"1.4.0\""),
    ("EnableExecuteCommand", "EnableExecuteCommand = true"),
    // Ours.
    ("Subnets", "Subnets = [\"subnet-0a1\", \"subnet-0b2\"]"),
    ("SecurityGroups", "SecurityGroups = [\"sg-0a1\"]"),
    ("Container", "Container = \"ci-coordinator\""),
    ("LaunchType", "LaunchType = \"FARGATE\""),
    (
        "CapacityProviderStrategy",
        "CapacityProviderStrategy = [{ provider = \"FARGATE_SPOT\", weight = 1 }]",
    ),
    ("CPU", "CPU = 1024"),
    ("Memory", "Memory = 2048"),
    ("HostKey", "HostKey = \"seed\""),
    ("PublicIP", "PublicIP = \"none\""),
    ("JobTaskDefinitions", "JobTaskDefinitions = [\"ci-large\"]"),
    ("JobPlatformVersions", "JobPlatformVersions = [\"1.4.0\"]"),
    ("AssumeRoleArn", "AssumeRoleArn = \"arn:aws:iam::123456789012:role/ci-runner\""),
    ("AssumeRoleExternalId", "AssumeRoleExternalId = \"ci\""),
    ("AssumeRoleSessionName", "AssumeRoleSessionName = \"ci-host-1\""),
    ("CaBundle", "CaBundle = \"/etc/ssl/certs/proxy.pem\""),
    ("Shell", "Shell = \"bash\""),
    ("BuildsDir", "BuildsDir = \"/builds\""),
    ("CacheDir", "CacheDir = \"/cache\""),
    ("Timeouts", "[Fargate.Timeouts]"),
    ("Tags", "[Fargate.Tags]"),
];

pub(crate) const TASK_METADATA: SectionKeys =
    &[("Directory", "Directory = \"/opt/gitlab-runner/metadata\"")];

pub(crate) const SSH: SectionKeys = &[
    ("Username", "Username = \"root\""),
    ("Port", "Port = 22"),
    // Ours.
    ("User", "User = \"root\""),
    ("ClientKey", "ClientKey = \"ed25519\""),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::ConfigSection;
    use crate::reader::KeyMatching;

    #[test]
    fn every_setting_of_ours_may_stand_in_their_file() {
        let known = |keys: SectionKeys, name: &str| {
            keys.iter().any(|(known, _)| KeyMatching::Loose.same(known, name))
        };
        for name in ConfigSection::Settings.names() {
            assert!(known(FARGATE, name) || name == "ssh", "{name}");
        }
        for name in ConfigSection::Ssh.names() {
            assert!(known(SSH, name), "{name}");
        }
        for name in ConfigSection::Top.names() {
            let elsewhere = ["config_version", "defaults", "profile"].contains(&name);
            assert!(known(TOP, name) || elsewhere, "{name}");
        }
    }
}
