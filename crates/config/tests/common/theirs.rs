//! Files of GitLab's Fargate driver for the tests.

use super::ConfigDraft;

/// The least that is complete.
pub fn least() -> ConfigDraft {
    ConfigDraft::empty()
        .set("Fargate", "Cluster", "\"test-cluster\"")
        .set("Fargate", "Subnet", "\"subnet-0a1\"")
        .set("Fargate", "SecurityGroup", "\"sg-0a1\"")
        .set("Fargate", "TaskDefinition", "\"test-task:1\"")
        .set("TaskMetadata", "Directory", "\"/opt/gitlab-runner/metadata\"")
        .set("SSH", "Username", "\"root\"")
}

/// Every key of theirs, each with a value of its own.
pub fn full() -> ConfigDraft {
    least()
        .set("", "LogLevel", "\"debug\"")
        .set("", "LogFile", "\"/var/log/fargate.log\"")
        .set("", "LogFormat", "\"text-simple\"")
        .set("Fargate", "Region", "\"us-east-2\"")
        .set("Fargate", "EnablePublicIP", "true")
        .set("Fargate", "UsePublicIP", "false")
        .set("Fargate", "EnableExecuteCommand", "true")
        .set("Fargate", "PlatformVersion", "\"1.4.0\"")
        .set("SSH", "Port", "2222")
}

/// The keys that published examples leave to the reader.
pub const PLACEHOLDERS: [&str; 8] = [
    "Fargate.Subnet",
    "Fargate.SecurityGroup",
    "Fargate.cluster",
    "Fargate.region",
    "Fargate.subnet",
    "Fargate.securityGroup",
    "Fargate.TaskDefinition",
    "Fargate.Cluster",
];

/// An example with values in the place of its placeholders.
pub fn filled_in(example: &str) -> String {
    let mut text = example.to_owned();
    for (placeholder, value) in [
        ("subnet-xxxxxxxx", "subnet-0a1b2c3d"),
        ("subnet-xxxxxx", "subnet-0a1b2c"),
        ("subnet-XYZ", "subnet-0a1"),
        ("sg-xxxxxxxxxxxxx", "sg-0a1b2c3d4e5f6"),
        ("sg-xxxxxxxx", "sg-0a1b2c3d"),
        ("sg-XYZ", "sg-0a1"),
        ("${FARGATE_CLUSTER}", "ci"),
        ("${FARGATE_REGION}", "eu-west-1"),
        ("${FARGATE_SUBNET}", "subnet-0a1b2c3d4e5f60718"),
        ("${FARGATE_SECURITY_GROUP}", "sg-0a1b2c3d4e5f60718"),
        ("${FARGATE_TASK_DEFINITION}", "arn:aws:ecs:eu-west-1:123456789012:task-definition/ci:3"),
    ] {
        text = text.replace(placeholder, value);
    }
    text
}

/// Published examples: where they stand, and their settings.
pub const EXAMPLES: &[(&str, &str)] = &[
    (
        "GitLab Runner documentation, Autoscaling GitLab CI on AWS Fargate",
        "LogLevel = \"info\"\nLogFormat = \"text\"\n\n[Fargate]\n  Cluster = \"test-cluster\"\n  \
         Region = \"us-east-2\"\n  Subnet = \"subnet-xxxxxx\"\n  SecurityGroup = \
         \"sg-xxxxxxxxxxxxx\"\n  TaskDefinition = \"test-task:1\"\n  EnablePublicIP = true\n\n\
         [TaskMetadata]\n  Directory = \"/opt/gitlab-runner/metadata\"\n\n[SSH]\n  Username = \
         \"root\"\n  Port = 22\n",
    ),
    (
        "the same with the later key",
        "LogLevel = \"info\"\nLogFormat = \"text\"\n\n[Fargate]\n  Cluster = \"test-cluster\"\n  \
         Region = \"us-east-2\"\n  Subnet = \"subnet-xxxxxx\"\n  SecurityGroup = \
         \"sg-xxxxxxxxxxxxx\"\n  TaskDefinition = \"test-task:1\"\n  EnablePublicIP = true\n  \
         UsePublicIP = true\n\n[TaskMetadata]\n  Directory = \"/opt/gitlab-runner/metadata\"\n\n\
         [SSH]\n  Username = \"root\"\n  Port = 22\n",
    ),
    (
        "the driver's docs/README.md, the example at the end",
        "LogLevel = \"info\"\nLogFormat = \"text\"\n\n[Fargate]\n  Cluster = \"fargate\"\n  Region \
         = \"us-east-1\"\n  Subnet = \"subnet-xxxxxxxx\"\n  SecurityGroup = \"sg-xxxxxxxx\"\n  \
         TaskDefinition = \"fargateExecutor:1\"\n  EnablePublicIP = false\n\n[TaskMetadata]\n  \
         Directory = \"/etc/gitlab-runner/metadata\"\n\n[SSH]\n  Username = \"root\"\n",
    ),
    (
        "the driver's docs/README.md, section by section",
        "LogLevel = \"debug\"\nLogFile = \"fargate.log\"\nLogFormat = \"text\"\n[Fargate]\n  \
         Cluster = \"cluster-name\"\n  Region = \"us-east-1\"\n  Subnet = \"subnet-XYZ\"\n  \
         SecurityGroup = \"sg-XYZ\"\n  TaskDefinition = \"my-task-definition:1\"\n  EnablePublicIP \
         = true\n  PlatformVersion = \"1.4.0\"\n[TaskMetadata]\n  Directory = \
         \"/etc/gitlab-runner/metadata\"\n[SSH]\n  Username = \"root\"\n  Port = 22\n",
    ),
    (
        "the driver's config.toml.example",
        "LogLevel = \"info\"\nLogFile = \"fargate.log\"\nLogFormat = \"text\"\n\n[Fargate]\n    \
         Cluster = \"cluster-name\"\n    Region = \"us-east-1\"\n    Subnet = \"subnet-XYZ\"\n    \
         SecurityGroup = \"sg-XYZ\"\n    TaskDefinition = \"my-task-definition:1\"\n    \
         EnablePublicIP = true\n    PlatformVersion = \"LATEST\"\n\n[TaskMetadata]\n    Directory = \
         \"/fargate-driver/\"\n\n[SSH]\n    Username = \"root\"\n    Port = 22\n",
    ),
    (
        "cpfriend1721994/docker-gitlab-runner-fargate-driver, config_driver_template.toml",
        "LogLevel = \"info\"\nLogFormat = \"text\"\n\n[Fargate]\n    cluster = \
         \"${FARGATE_CLUSTER}\"\n    region = \"${FARGATE_REGION}\"\n    subnet = \
         \"${FARGATE_SUBNET}\"\n    securityGroup = \"${FARGATE_SECURITY_GROUP}\"\n    \
         TaskDefinition = \"${FARGATE_TASK_DEFINITION}\"\n    EnablePublicIP = true\n\n\
         [TaskMetadata]\n    Directory = \"/tmp/\"\n\n[SSH]\n    Username = \"root\"\n    Port = \
         22\n",
    ),
];
