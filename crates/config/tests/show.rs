//! What `config show` prints is a file that says the same.

mod common;

use common::{ConfigDraft, read};
use fargate_config::RunnerConfig;
use insta::assert_snapshot;
use proptest::prelude::*;

/// Settings that a draft may or may not have, each fitting with any of the others.
const SETTINGS: &[(&str, &str, &str)] = &[
    ("", "owner", "\"ci/1\""),
    ("", "state_dir", "\"/srv/a b\\\"c\\\\d'e\""),
    ("", "log_file", "'/var/log/ü.jsonl'"),
    ("", "log_level", "\"trace\""),
    ("", "log_format", "\"text\""),
    ("defaults", "region", "\"eu-west-1\""),
    ("defaults", "subnets", "[\"subnet-1\", \"subnet-2\"]"),
    ("defaults", "container", "\"other\""),
    ("defaults", "launch_type", "\"FARGATE\""),
    ("defaults", "capacity_fallback", "[\"FARGATE_SPOT\"]"),
    ("defaults", "propagate_tags", "\"task_definition\""),
    ("defaults", "platform_version", "\"1.4.0\""),
    ("defaults", "cpu", "4096"),
    ("defaults", "memory", "16384"),
    ("defaults", "shell", "\"sh\""),
    ("defaults", "host_key", "\"first_use\""),
    ("defaults", "public_ip", "\"dialled\""),
    ("defaults", "enable_execute_command", "true"),
    ("defaults", "job_task_definitions", "[\"a\", \"b:1\"]"),
    ("defaults", "job_platform_versions", "[\"1.4.0\"]"),
    ("defaults", "assume_role_arn", "\"arn:aws:iam::123456789012:role/ci\""),
    ("defaults", "ca_bundle", "\"/etc/ca.pem\""),
    ("defaults", "builds_dir", "\"/my builds\""),
    ("defaults.ssh", "port", "2222"),
    ("defaults.ssh", "client_key", "\"rsa\""),
    ("defaults.timeouts", "task_idle", "\"1h 30m\""),
    ("defaults.timeouts", "ecs_poll_min", "\"1ms 5us 3ns\""),
    ("defaults.limits", "task_relaunches", "0"),
    ("defaults.tags", "team", "\"build\""),
    ("defaults.tags", "\"cost: centre\"", "\"\\u00e9 = 1\""),
    ("profile.a", "cluster", "\"other\""),
    ("profile.a", "region", "\"us-east-2\""),
    ("profile.a", "capacity_provider_strategy", "[{ provider = \"FARGATE_SPOT\", base = 2 }]"),
    ("profile.a", "cpu", "2048"),
    ("profile.a", "cache_dir", "\"/cache\""),
    ("profile.a", "job_task_definitions", "[]"),
    ("profile.a.ssh", "user", "\"ci\""),
    ("profile.a.timeouts", "task_idle", "\"20m\""),
    ("profile.a.ssh", "keepalive_tries", "7"),
    ("profile.a.tags", "team", "\"\""),
    ("profile.b-2", "task_role", "\"ci-task\""),
    ("profile.b-2", "host_key", "\"seed\""),
    ("profile.b-2", "launch_type", "\"CLUSTER\""),
    ("profile.b-2", "enable_execute_command", "false"),
    ("profile.b-2.tags", "\"a.b\"", "\"x/y\""),
];

fn drafts() -> impl Strategy<Value = ConfigDraft> {
    proptest::sample::subsequence(SETTINGS, 0..=SETTINGS.len()).prop_map(|settings| {
        let add = |draft: ConfigDraft, (table, key, value): (&str, &str, &str)| {
            draft.set(table, key, value)
        };
        settings.into_iter().fold(ConfigDraft::least(), add)
    })
}

fn same(a: &RunnerConfig, b: &RunnerConfig) {
    assert_eq!((&a.owner, &a.state_dir), (&b.owner, &b.state_dir));
    assert_eq!((&a.log_file, a.log_level), (&b.log_file, b.log_level));
    assert_eq!(a.log_format, b.log_format);
}

fn again(text: &str) -> RunnerConfig {
    read(text).unwrap_or_else(|problems| panic!("{problems}\n{text}")).config
}

proptest! {
    #[test]
    fn what_is_shown_can_be_read_again_and_means_the_same(draft in drafts()) {
        let config = draft.read().unwrap().config;
        let all = again(&config.show(None));
        same(&config, &all);
        prop_assert_eq!(config.profile(None), all.profile(None));
        prop_assert_eq!(config.profile_names(), all.profile_names());
        for name in config.profile_names() {
            prop_assert_eq!(config.profile(Some(name)), all.profile(Some(name)));
            let one = again(&config.show(Some(name)));
            same(&config, &one);
            prop_assert_eq!(config.profile(Some(name)), one.profile(Some(name)));
        }
    }
}

#[test]
fn every_line_says_where_its_value_comes_from() {
    let config = ConfigDraft::least()
        .set("defaults.timeouts", "task_idle", "\"3m\"")
        .set("defaults.tags", "team", "\"build\"")
        .set("profile.spot", "capacity_provider_strategy", "[{ provider = \"FARGATE_SPOT\" }]")
        .read()
        .unwrap()
        .config;
    assert_snapshot!(config.show(Some("spot")), @r#"
    # effective settings of config.toml
    config_version = 1 # line 1
    # owner is not set: an id made once and kept in the state folder
    state_dir = "/var/lib/fargate-runner" # default
    # log_file is not set: journald
    log_level = "info" # default
    log_format = "json" # default

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

    [profile.spot]
    cluster = "ci" # line 3
    # region is not set: AWS_REGION and the rest of the AWS SDK's own chain
    subnets = ["subnet-0a1"] # line 5
    security_groups = ["sg-0a1"] # line 4
    task_definition = "ci:7" # line 6
    container = "job" # default
    capacity_provider_strategy = [{ provider = "FARGATE_SPOT", weight = 1, base = 0 }] # line 12
    capacity_fallback = [] # default
    # platform_version is not set: ECS takes LATEST
    # cpu is not set: that of the task definition; with `image` 1024
    # memory is not set: that of the task definition; with `image` the least that fits the CPU
    # task_role is not set: the task definition decides; with `image` there is none
    host_key = "seed" # default
    public_ip = "none" # default
    enable_execute_command = false # default
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
    shell = "bash" # default
    # builds_dir is not set: the driver chooses
    # cache_dir is not set: the driver chooses

    [profile.spot.ssh]
    user = "root" # default
    port = 22 # default
    client_key = "ed25519" # default
    keepalive_tries = 3 # default
    rekey_after_mib = 1024 # default

    [profile.spot.timeouts]
    prepare = "15m" # default
    task_start = "10m" # default
    agent_start = "2m" # default
    capacity_window = "10m" # default
    capacity_pause = "15m" # default
    connect_attempt = "1s" # default
    connect_retry_pause = "50ms" # default
    ssh_handshake = "15s" # default
    ssh_authentication = "15s" # default
    session_open = "10s" # default
    send_stall = "1m" # default
    keepalive_interval = "15s" # default
    aws_connect = "3s" # default
    aws_attempt = "10s" # default
    aws_call = "1m" # default
    ecs_poll_min = "200ms" # default
    ecs_poll_max = "5s" # default
    task_stop = "10s" # default
    cleanup = "1m" # default
    cancel_grace = "10s" # default
    cancel_return = "2s" # default
    next_stage_grace = "2s" # default
    client_gone = "2m" # default
    reconnect = "2m" # default
    task_idle = "3m" # line 10
    exec_task_idle = "2m" # default
    lifetime_margin = "15m" # default
    default_job_timeout = "1h" # default
    pending_notice = "1m 30s" # default
    progress_interval = "15s" # default
    stop_reason = "2m" # default
    task_visibility = "1m" # default
    state_lock = "10s" # default
    tombstone_retention = "1day" # default
    definition_retention = "30days" # default
    paused_host = "15m" # default
    orphan_recheck = "10s" # default
    registry_retry_pause = "30s" # default

    [profile.spot.limits]
    ecs_reads_per_second = 20 # default
    task_relaunches = 3 # default
    capacity_failures = 3 # default

    [profile.spot.tags]
    team = "build" # line 8
    "#);
}

#[test]
fn defaults_that_are_no_profile_by_themselves_are_shown_as_they_are() {
    let config = ConfigDraft::least()
        .without("defaults", "cluster")
        .set("profile.a", "cluster", "\"a\"")
        .read()
        .unwrap()
        .config;
    let shown = config.show(None);
    assert!(shown.contains("[defaults]\n# cluster is not set\n"), "{shown}");
    assert_eq!(again(&shown).profile(Some("a")), config.profile(Some("a")));
}

#[test]
fn a_profile_that_is_not_there_is_shown_as_a_comment() {
    let shown = ConfigDraft::least().read().unwrap().config.show(Some("x\ny = 1"));
    assert!(shown.ends_with("# profile \"x\\x0ay = 1\" is not in this file\n"), "{shown}");
}
