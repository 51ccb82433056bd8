//! Files of GitLab's Fargate driver: its documented examples, and what each key means.

mod common;

use common::ConfigDraft;
use common::theirs::{self, EXAMPLES};
use fargate_config::{
    ClientKeyKind, ConfigGrammar, HostKey, JobProfile, LaunchMode, LaunchType, LoadedConfig,
    LogFormat, LogLevel, PublicIp, RunnerConfig, Shell, TagPropagation,
};
use std::path::Path;

fn read(text: &str) -> LoadedConfig {
    common::read(text).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

fn profile(file: &ConfigDraft) -> JobProfile {
    read(&file.text()).config.profile(None).unwrap()
}

fn config(file: &ConfigDraft) -> RunnerConfig {
    read(&file.text()).config
}

#[test]
fn every_published_example_is_read_once_its_placeholders_are_filled_in() {
    for (source, text) in EXAMPLES {
        let refused = common::read(text).expect_err(source);
        let keys: Vec<_> = refused.problems.iter().filter_map(|p| p.key.as_deref()).collect();
        assert!(keys.iter().all(|key| theirs::PLACEHOLDERS.contains(key)), "{source}: {refused}");
        let LoadedConfig { config, warnings, notices } = read(&theirs::filled_in(text));
        assert_eq!(config.grammar(), ConfigGrammar::GitLab, "{source}");
        assert_eq!(warnings, [], "{source}");
        let relative = text.contains("LogFile = \"fargate.log\"");
        assert_eq!(notices.len(), if relative { 2 } else { 1 }, "{source}: {notices:?}");
        let profile = config.profile(None).unwrap();
        assert_eq!((profile.ssh.user.as_str(), profile.ssh.port), ("root", 22), "{source}");
        assert_eq!((profile.subnets.len(), profile.security_groups.len()), (1, 1), "{source}");
        assert_eq!(config.log_format, LogFormat::Text, "{source}");
        let expected = match text.contains("EnablePublicIP = true") {
            true => PublicIp::Dialled,
            false => PublicIp::None,
        };
        assert_eq!(profile.public_ip, expected, "{source}");
    }
}

#[test]
fn what_the_file_does_not_say_is_as_that_driver_did_it() {
    let LoadedConfig { config, warnings, notices } = read(&theirs::least().text());
    assert_eq!((&config.owner, &config.log_file), (&None, &None));
    assert_eq!((config.log_level, config.log_format), (LogLevel::Info, LogFormat::Text));
    assert_eq!(config.state_dir, Path::new("/opt/gitlab-runner/metadata"));
    let profile = config.profile(None).unwrap();
    assert_eq!((&profile.name, &profile.region), (&None, &None));
    assert_eq!(profile.container, "ci-coordinator");
    assert_eq!(profile.launch(), LaunchMode::ClusterDefault);
    assert_eq!((profile.host_key, profile.public_ip), (HostKey::FirstUse, PublicIp::None));
    assert_eq!(profile.ssh.client_key, ClientKeyKind::Ed25519);
    assert_eq!((profile.platform_version, profile.enable_execute_command), (None, false));
    assert!(profile.job_task_definitions.is_empty() && profile.job_platform_versions.is_empty());
    assert_eq!((profile.builds_dir, profile.cache_dir), (None, None));
    assert_eq!(warnings, []);
    let notices: Vec<_> = notices.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(notices.join("\n"), @r#"config.toml:1: key `Fargate.HostKey` is not there, so that `first_use` is implied: the first host key that a task shows is taken and pinned, whoever shows it"#);
}

#[test]
fn both_keys_about_public_addresses_decide_together() {
    for (enable, used, meant) in [
        (None, None, PublicIp::None),
        (Some("false"), None, PublicIp::None),
        (Some("true"), None, PublicIp::Dialled),
        (Some("true"), Some("true"), PublicIp::Dialled),
        (Some("true"), Some("false"), PublicIp::Assigned),
        (Some("false"), Some("false"), PublicIp::None),
        (Some("false"), Some("true"), PublicIp::None),
        (None, Some("true"), PublicIp::None),
    ] {
        let mut file = theirs::least();
        for (key, value) in [("EnablePublicIP", enable), ("UsePublicIP", used)] {
            file = value.map_or(file.clone(), |value| file.set("Fargate", key, value));
        }
        let loaded = read(&file.text());
        assert_eq!(loaded.config.profile(None).unwrap().public_ip, meant, "{enable:?} {used:?}");
        let contradiction = enable != Some("true") && used == Some("true");
        assert_eq!(loaded.notices.len(), 1 + usize::from(contradiction), "{enable:?} {used:?}");
    }
    let file = theirs::least().set("Fargate", "UsePublicIP", "true");
    insta::assert_snapshot!(read(&file.text()).notices[0], @r#"config.toml:6: key `Fargate.UsePublicIP` is true where `EnablePublicIP` is not: a task has no public IP address and is reached by its private one"#);
}

#[test]
fn ours_decides_where_both_say_the_same_thing() {
    let file = theirs::least()
        .set("", "StateDir", "\"/srv/state\"")
        .set("Fargate", "Subnets", "[\"subnet-1\", \"subnet-2\"]")
        .set("Fargate", "SecurityGroups", "[\"sg-1\", \"sg-2\"]")
        .set("Fargate", "EnablePublicIP", "true")
        .set("Fargate", "PublicIP", "\"none\"")
        .set("SSH", "User", "\"ci\"");
    assert_eq!(config(&file).state_dir, Path::new("/srv/state"));
    let profile = profile(&file);
    assert_eq!(profile.subnets, ["subnet-1", "subnet-2"]);
    assert_eq!(profile.security_groups, ["sg-1", "sg-2"]);
    assert_eq!((profile.public_ip, profile.ssh.user.as_str()), (PublicIp::None, "ci"));
}

/// A setting of ours, and how it shows that it was read.
type AddedSetting =
    (&'static str, &'static str, &'static str, fn(&RunnerConfig, &JobProfile) -> bool);

const ADDITIVE: &[AddedSetting] = &[
    ("", "Owner", "\"ci/1\"", |config, _| config.owner.as_deref() == Some("ci/1")),
    ("Fargate", "Container", "\"job\"", |_, p| p.container == "job"),
    ("Fargate", "LaunchType", "\"FARGATE\"", |_, p| {
        p.launch() == LaunchMode::Type(LaunchType::Fargate)
    }),
    (
        "Fargate",
        "CapacityProviderStrategy",
        "[{ Provider = \"FARGATE_SPOT\", WEIGHT = 2 }]",
        |_, p| matches!(&p.launch(), LaunchMode::Strategy(items) if items[0].weight == 2),
    ),
    ("Fargate", "CapacityFallback", "[\"FARGATE_SPOT\"]", |_, p| {
        p.capacity_fallback == ["FARGATE_SPOT"]
    }),
    ("Fargate", "PropagateTags", "\"task_definition\"", |_, p| {
        p.propagate_tags == TagPropagation::TaskDefinition
    }),
    ("Fargate", "EnableEcsManagedTags", "true", |_, p| p.enable_ecs_managed_tags),
    ("Fargate", "CPU", "1024", |_, p| p.cpu_units == Some(1024)),
    ("Fargate", "Memory", "2048", |_, p| p.memory_mib == Some(2048)),
    ("Fargate", "HostKey", "\"seed\"", |_, p| p.host_key == HostKey::Seed),
    ("Fargate", "Shell", "\"sh\"", |_, p| p.shell == Shell::Sh),
    ("Fargate", "BuildsDir", "\"/b\"", |_, p| p.builds_dir.as_deref() == Some("/b")),
    ("Fargate", "CacheDir", "\"/c\"", |_, p| p.cache_dir.as_deref() == Some("/c")),
    ("Fargate", "PublicIp", "\"assigned\"", |_, p| p.public_ip == PublicIp::Assigned),
    ("Fargate", "EnableExecuteCommand", "true", |_, p| p.enable_execute_command),
    ("Fargate", "JobTaskDefinitions", "[\"a\", \"b:1\"]", |_, p| {
        p.job_task_definitions == ["a", "b:1"]
    }),
    ("Fargate", "JobPlatformVersions", "[\"1.4.0\"]", |_, p| p.job_platform_versions == ["1.4.0"]),
    ("Fargate", "AssumeRoleArn", "\"arn:aws:iam::123456789012:role/ci\"", |_, p| {
        p.account().role.is_some()
    }),
    ("Fargate", "CaBundle", "\"/etc/ca.pem\"", |_, p| {
        p.account().ca_bundle.as_deref() == Some(Path::new("/etc/ca.pem"))
    }),
    ("Fargate.Timeouts", "EcsPollMin", "\"1ms\"", |_, p| p.timeouts.ecs_poll_min.as_millis() == 1),
    ("Fargate.Tags", "Cost-Centre", "\"7\"", |_, p| p.tags["Cost-Centre"] == "7"),
    ("SSH", "ClientKey", "\"rsa\"", |_, p| p.ssh.client_key == ClientKeyKind::Rsa),
];

/// Other spellings of a name.
fn spellings(name: &str) -> Vec<String> {
    let mut snake = String::new();
    let mut before = ' ';
    for c in name.chars() {
        if c.is_ascii_uppercase() && before.is_ascii_lowercase() {
            snake.push('_');
        }
        before = c;
        snake.push(c.to_ascii_lowercase());
    }
    let kebab = snake.replace('_', "-");
    vec![name.to_owned(), name.to_lowercase(), name.to_uppercase(), snake, kebab]
}

#[test]
fn settings_of_ours_may_stand_in_the_file_in_any_spelling() {
    for (table, key, value, shows) in ADDITIVE {
        // Names of tags are the operator's own.
        let names = if *table == "Fargate.Tags" { vec![(*key).to_owned()] } else { spellings(key) };
        for name in names {
            let file = theirs::least().set(table, &name, value);
            let loaded = read(&file.text());
            assert_eq!(loaded.warnings, [], "{name}");
            let profile = loaded.config.profile(None).unwrap();
            assert!(shows(&loaded.config, &profile), "{table} {name}");
        }
    }
}

#[test]
fn tables_and_keys_of_theirs_are_read_in_any_case() {
    let expected = theirs::full();
    let upper = |text: &str| -> String {
        text.lines()
            .map(|line| {
                let (name, rest) = line.split_once(" = ").unwrap_or((line, ""));
                let mark = if rest.is_empty() { "" } else { " = " };
                format!("{}{mark}{rest}\n", name.to_uppercase())
            })
            .collect()
    };
    let lower = |text: &str| {
        upper(text)
            .lines()
            .map(|line| {
                let (name, rest) = line.split_once(" = ").unwrap_or((line, ""));
                let mark = if rest.is_empty() { "" } else { " = " };
                format!("{}{mark}{rest}\n", name.to_lowercase())
            })
            .collect::<String>()
    };
    let own = read(&expected.text());
    for text in [upper(&expected.text()), lower(&expected.text())] {
        let other = read(&text);
        assert_eq!(other.warnings, []);
        assert_eq!(other.config.profile(None), own.config.profile(None), "{text}");
        assert_eq!(other.config.state_dir, own.config.state_dir);
        assert_eq!(other.config.log_file, own.config.log_file);
    }
}

#[test]
fn an_empty_text_is_a_key_that_is_not_there() {
    let least = theirs::least();
    let mut file = least.clone();
    for (table, key) in [
        ("", "LogLevel"),
        ("", "LogFile"),
        ("", "LogFormat"),
        ("", "Owner"),
        ("Fargate", "Region"),
        ("Fargate", "PlatformVersion"),
        ("Fargate", "Container"),
        ("Fargate", "HostKey"),
    ] {
        file = file.set(table, key, "\"\"");
    }
    assert_eq!(profile(&file), profile(&least));
    assert_eq!(config(&file).log_file, None);
    assert_eq!(read(&file.text()).notices.len(), 1);
    // A tag without a value is one.
    let tagged = least.set("Fargate.Tags", "team", "\"\"");
    assert_eq!(profile(&tagged).tags["team"], "");
}

#[test]
fn a_port_below_1_is_22() {
    for (given, port) in
        [("0", 22), ("-1", 22), ("-99999999999999", 22), ("0x16", 22), ("65535", 65535)]
    {
        let file = theirs::least().set("SSH", "Port", given);
        assert_eq!(profile(&file).ssh.port, port, "{given}");
    }
}

#[test]
fn every_level_of_that_drivers_log_has_one_of_ours() {
    for (given, meant) in [
        ("panic", LogLevel::Error),
        ("fatal", LogLevel::Error),
        ("error", LogLevel::Error),
        ("warn", LogLevel::Warn),
        ("warning", LogLevel::Warn),
        ("Info", LogLevel::Info),
        ("DEBUG", LogLevel::Debug),
        ("trace", LogLevel::Trace),
    ] {
        let file = theirs::least().set("", "LogLevel", &format!("\"{given}\""));
        assert_eq!(config(&file).log_level, meant);
    }
    for (given, meant) in [
        ("json", LogFormat::Json),
        ("text", LogFormat::Text),
        ("text-simple", LogFormat::TextSimple),
    ] {
        let file = theirs::least().set("", "LogFormat", &format!("\"{given}\""));
        assert_eq!(config(&file).log_format, meant);
    }
}

#[test]
fn a_relative_log_file_is_kept_and_told_to_the_operator() {
    let file = theirs::least().set("", "LogFile", "\"fargate.log\"");
    let loaded = read(&file.text());
    assert_eq!(loaded.config.log_file.as_deref(), Some(Path::new("fargate.log")));
    insta::assert_snapshot!(loaded.notices[1], @r#"config.toml:1: key `LogFile` is "fargate.log", a path from the working directory: gitlab-runner starts each stage in a folder that it removes with the job, and the log with it"#);
    let shown = loaded.config.show(None);
    assert!(
        shown.contains("# log_file is \"fargate.log\", from the working directory\n"),
        "{shown}"
    );
}

#[test]
fn what_is_in_force_is_shown_in_our_grammar_with_its_origin() {
    let shown = config(&theirs::full()).show(None);
    let upto = shown.split_once("\n[defaults.timeouts]").unwrap().0;
    insta::assert_snapshot!(upto, @r#"
    # effective settings of config.toml, a file of GitLab's Fargate driver
    config_version = 1 # default
    # owner is not set: an id made once and kept in the state folder
    state_dir = "/opt/gitlab-runner/metadata" # line 18
    log_file = "/var/log/fargate.log" # line 1
    log_level = "debug" # line 3
    log_format = "text-simple" # line 2

    [serve]
    listen = "127.0.0.1:9253" # default
    allowed_hosts = [] # default
    allowed_origins = [] # default
    local_access = "viewer" # default
    public_view = false # default
    public_projects = [] # default
    tokens = [] # default
    proxy_addresses = [] # default
    proxy_user_header = "x-forwarded-user" # default
    proxy_operators = [] # default
    # vcpu_quota is not set: the page says that it is not known
    # spot_vcpu_quota is not set: the page says that it is not known
    # gitlab_runner_metrics is not set: the page says that they are not known
    # runbook_url is not set: the pages about causes lead nowhere else
    # job_slots is not set: what `gitlab_runner_metrics` tells
    max_connections = 12288 # default
    max_streams = 10000 # default

    [history]
    # file is not set: `history.db` in `state_dir`
    # url is not set: SQLite
    keep_days = 90 # default
    keep_audit_days = 400 # default

    [notify]
    # webhook_url_file is not set: no webhook, unless `webhook_url_variable` names one
    # webhook_url_variable is not set: no webhook, unless `webhook_url_file` names one
    # webhook_key_file is not set: messages are not signed, unless `webhook_key_variable` names a key
    # webhook_key_variable is not set: messages are not signed, unless `webhook_key_file` names a key
    # sns_topic is not set: no topic
    about = [] # default
    after_jobs = 3 # default
    quiet_after = "30m" # default
    paused_after = "1h" # default
    messages_per_hour = 20 # default
    project_names = false # default
    # page_url is not set: messages have no links

    [prices]
    date = "2026-10-09" # default
    region = "us-east-1" # default
    x86_vcpu_hour = "0.04048" # default
    x86_gb_hour = "0.004446" # default
    arm_vcpu_hour = "0.03238" # default
    arm_gb_hour = "0.00356" # default
    x86_spot_vcpu_hour = "0.01246" # default
    x86_spot_gb_hour = "0.001369" # default
    # arm_spot_vcpu_hour is not set: jobs on it have no estimate
    # arm_spot_gb_hour is not set: jobs on it have no estimate
    disk_gb_hour = "0.000111" # default
    image_through_nat = false # default
    # nat_per_gb is not set: with `image_through_nat`, jobs have no estimate

    [defaults]
    cluster = "test-cluster" # line 5
    region = "us-east-2" # line 9
    subnets = ["subnet-0a1"] # line 11
    security_groups = ["sg-0a1"] # line 10
    task_definition = "test-task:1" # line 12
    container = "ci-coordinator" # implied
    launch_type = "CLUSTER" # implied
    capacity_fallback = [] # default
    platform_version = "1.4.0" # line 8
    # cpu is not set: that of the task definition; with `image` 1024
    # memory is not set: that of the task definition; with `image` the least that fits the CPU
    # task_role is not set: the task definition decides; with `image` there is none
    host_key = "first_use" # implied
    public_ip = "assigned" # line 7
    enable_execute_command = true # line 6
    propagate_tags = "none" # default
    enable_ecs_managed_tags = false # default
    job_task_definitions = [] # default
    job_platform_versions = [] # default
    projects = [] # default
    refs = "any" # default
    on_unsupported = "warn" # default
    # job_max_cpu is not set: no job chooses
    # job_max_memory is not set: no job chooses
    # job_max_ephemeral_storage_gib is not set: no job chooses
    job_spot = false # default
    # job_max_hold is not set: no task is kept
    # assume_role_arn is not set: the credentials of this host
    # assume_role_external_id is not set: the driver sends none
    # assume_role_session_name is not set: "fargate-runner"
    # ca_bundle is not set: AWS_CA_BUNDLE
    shell = "runner" # implied
    # builds_dir is not set: the driver chooses
    # cache_dir is not set: the driver chooses

    [defaults.ssh]
    user = "root" # line 16
    port = 2222 # line 15
    client_key = "ed25519" # default
    keepalive_tries = 3 # default
    rekey_after_mib = 1024 # default
    "#);
}
