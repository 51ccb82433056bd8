//! `config import`: what is printed for a file of GitLab's driver means the same as the file.

mod common;

use common::theirs::{self, EXAMPLES};
use common::{ConfigDraft, read};
use fargate_config::{ConfigGrammar, RunnerConfig};
use proptest::prelude::*;

/// Lines that a file may or may not have, each fitting with any of the others.
const LINES: &[(&str, &str, &str)] = &[
    ("", "LogLevel", "\"warning\""),
    ("", "LogLevel", "\"panic\""),
    ("", "LogFile", "\"/var/log/a b\\\"c.log\""),
    ("", "LogFile", "\"fargate.log\""),
    ("", "LogFormat", "\"json\""),
    ("", "LogFormat", "\"text-simple\""),
    ("", "Owner", "\"ci/1\""),
    ("", "StateDir", "\"/srv/ü\""),
    ("", "Unknown", "{ a = 1 }"),
    ("Fargate", "Region", "\"us-gov-west-1\""),
    ("Fargate", "Subnets", "[\"subnet-1\", \"subnet-2\"]"),
    ("Fargate", "SecurityGroups", "[\"sg-1\", \"sg-2\"]"),
    ("Fargate", "EnablePublicIP", "true"),
    ("Fargate", "EnablePublicIP", "false"),
    ("Fargate", "UsePublicIP", "true"),
    ("Fargate", "UsePublicIP", "false"),
    ("Fargate", "PublicIP", "\"assigned\""),
    ("Fargate", "PlatformVersion", "\"1.4.0\""),
    ("Fargate", "PlatformVersion", "\"\""),
    ("Fargate", "EnableExecuteCommand", "true"),
    ("Fargate", "Container", "\"job\""),
    ("Fargate", "LaunchType", "\"FARGATE\""),
    ("Fargate", "LaunchType", "\"CLUSTER\""),
    ("Fargate", "CPU", "4096"),
    ("Fargate", "Memory", "16384"),
    ("Fargate", "HostKey", "\"seed\""),
    ("Fargate", "HostKey", "\"first_use\""),
    ("Fargate", "Shell", "\"sh\""),
    ("Fargate", "BuildsDir", "\"/my builds\""),
    ("Fargate", "CacheDir", "\"/c\""),
    ("Fargate", "JobTaskDefinitions", "[\"a\", \"b:1\"]"),
    ("Fargate", "JobPlatformVersions", "[]"),
    ("Fargate", "AssumeRoleArn", "\"arn:aws-us-gov:iam::123456789012:role/ci\""),
    ("Fargate", "CaBundle", "\"/etc/ca.pem\""),
    ("Fargate", "unknown", "1"),
    ("Fargate.Timeouts", "TaskIdle", "\"1h 30m\""),
    ("Fargate.Timeouts", "ecs-poll-min", "\"1ms 5us\""),
    ("Fargate.Limits", "TASKRELAUNCHES", "0"),
    ("Fargate.Tags", "Team", "\"build\""),
    ("Fargate.Tags", "\"cost: centre\"", "\"\\u00e9 = 1\""),
    ("SSH", "Port", "0"),
    ("SSH", "Port", "2222"),
    ("SSH", "User", "\"ci\""),
    ("SSH", "ClientKey", "\"rsa\""),
];

fn files() -> impl Strategy<Value = ConfigDraft> {
    proptest::sample::subsequence(LINES, 0..=LINES.len()).prop_map(|lines| {
        let add = |file: ConfigDraft, (table, key, value): (&str, &str, &str)| {
            file.set(table, key, value)
        };
        lines.into_iter().fold(theirs::least(), add)
    })
}

/// The same settings. The one exception: a relative log file is none in our grammar.
fn same(old: &RunnerConfig, new: &RunnerConfig) {
    assert_eq!((old.grammar(), new.grammar()), (ConfigGrammar::GitLab, ConfigGrammar::Own));
    assert_eq!(old.profile(None), new.profile(None));
    assert_eq!((&old.owner, &old.state_dir), (&new.owner, &new.state_dir));
    assert_eq!((old.log_level, old.log_format), (new.log_level, new.log_format));
    let absolute = old.log_file.clone().filter(|path| path.is_absolute());
    assert_eq!(absolute, new.log_file);
}

/// A TOML basic string.
fn toml_string(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The import of a file, read as `config check` reads it.
fn imported(old: &RunnerConfig) -> RunnerConfig {
    let text = old.import();
    let loaded = read(&text).unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    assert_eq!((loaded.warnings, loaded.notices), (vec![], vec![]), "{text}");
    assert!(text.lines().all(|line| !line.starts_with('#') || line.chars().count() <= 100));
    loaded.config
}

proptest! {
    #[test]
    fn an_import_means_what_the_file_meant(file in files()) {
        let old = read(&file.text()).unwrap().config;
        same(&old, &imported(&old));
    }

    #[test]
    fn so_it_does_whatever_names_and_paths_are_called(
        cluster in "[a-zA-Z0-9_-]{1,40}",
        paths in proptest::array::uniform3("/[^\\x00-\\x1f\\x7f-\\u{9f}]{0,30}"),
        user in "[a-z_][a-z0-9_.-]{0,20}",
        tag in "[\\p{L}\\p{N} _.:/=+@-]{0,20}",
    ) {
        let text = |value: &str| toml_string(value);
        let file = theirs::least()
            .set("Fargate", "Cluster", &text(&cluster))
            .set("TaskMetadata", "Directory", &text(&paths[0]))
            .set("", "LogFile", &text(&paths[1]))
            .set("Fargate", "BuildsDir", &text(&paths[2]))
            .set("SSH", "Username", &text(&user))
            .set("Fargate.Tags", "team", &text(&tag));
        let old = read(&file.text()).unwrap().config;
        same(&old, &imported(&old));
    }

    #[test]
    fn so_does_what_is_shown_of_it(file in files()) {
        let old = read(&file.text()).unwrap().config;
        let shown = old.show(None);
        same(&old, &read(&shown).unwrap_or_else(|problems| panic!("{problems}\n{shown}")).config);
    }
}

#[test]
fn the_import_of_every_published_example_means_what_the_example_meant() {
    for (_, text) in EXAMPLES {
        let old = read(&theirs::filled_in(text)).unwrap().config;
        same(&old, &imported(&old));
    }
}

#[test]
fn an_import_says_what_can_be_better() {
    let text = theirs::filled_in(EXAMPLES[4].1);
    insta::assert_snapshot!(read(&text).unwrap().config.import(), @r#"
    # The settings of config.toml in Fargate Runner's own grammar.
    # `fargate-runner config init` writes the reference, with every key there is.
    config_version = 1

    # The state of jobs, where `TaskMetadata.Directory` was.
    state_dir = "/fargate-driver/"

    # The log file "fargate.log" is relative and was lost with each job: here the log goes to journald.

    # Better: "json", the default, which tools can search.
    log_format = "text"

    [defaults]
    cluster = "cluster-name"
    region = "us-east-1"

    # Better: several subnets, in different zones. They are tried in this order when one has no capacity
    # or no address left.
    subnets = ["subnet-0a1"]
    security_groups = ["sg-0a1"]
    task_definition = "my-task-definition:1"
    container = "ci-coordinator"

    # The cluster's default capacity provider strategy decides. Better: "FARGATE", or a
    # `capacity_provider_strategy` of its own.
    launch_type = "CLUSTER"
    platform_version = "LATEST"

    # The first host key that a task shows is taken and pinned. Better: "seed", once the image starts
    # fargate-agent instead of sshd: then the key is proven before the first byte, and a job starts
    # sooner.
    host_key = "first_use"

    # Better: "none", with private subnets behind a NAT gateway.
    public_ip = "dialled"

    # A job's variable FARGATE_TASK_DEFINITION chooses only what stands here, and so does
    # FARGATE_PLATFORM_VERSION with `job_platform_versions`. To allow some:
    # job_task_definitions = ["family:revision"]
    shell = "runner"

    [defaults.ssh]
    user = "root"
    port = 22

    # Every wait has a limit of its own, such as `task_start` (10m, from RunTask to the task's answer),
    # under [defaults.timeouts].

    # Tags for cost reports, such as team = "build", stand under [defaults.tags].
    "#);
}

#[test]
fn the_import_of_a_file_with_everything_has_everything() {
    let file = theirs::full()
        .set("", "Owner", "\"ci-1\"")
        .set("Fargate", "Subnets", "[\"subnet-1\", \"subnet-2\"]")
        .set("Fargate", "HostKey", "\"seed\"")
        .set("Fargate", "JobTaskDefinitions", "[\"large\"]")
        .set("Fargate.Timeouts", "TaskStart", "\"5m\"")
        .set("Fargate.Tags", "team", "\"build\"");
    insta::assert_snapshot!(read(&file.text()).unwrap().config.import(), @r#"
    # The settings of config.toml in Fargate Runner's own grammar.
    # `fargate-runner config init` writes the reference, with every key there is.
    config_version = 1
    owner = "ci-1"

    # The state of jobs, where `TaskMetadata.Directory` was.
    state_dir = "/opt/gitlab-runner/metadata"
    log_file = "/var/log/fargate.log"
    log_level = "debug"

    # Better: "json", the default, which tools can search.
    log_format = "text-simple"

    [defaults]
    cluster = "test-cluster"
    region = "us-east-2"
    subnets = ["subnet-1", "subnet-2"]
    security_groups = ["sg-0a1"]
    task_definition = "test-task:1"
    container = "ci-coordinator"

    # The cluster's default capacity provider strategy decides. Better: "FARGATE", or a
    # `capacity_provider_strategy` of its own.
    launch_type = "CLUSTER"
    platform_version = "1.4.0"
    host_key = "seed"

    # Better: "none", with private subnets behind a NAT gateway.
    public_ip = "assigned"
    enable_execute_command = true
    job_task_definitions = ["large"]
    shell = "runner"

    [defaults.ssh]
    user = "root"
    port = 2222

    [defaults.timeouts]
    task_start = "5m"

    [defaults.tags]
    team = "build"
    "#);
}
