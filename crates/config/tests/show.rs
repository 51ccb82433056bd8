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
    ("defaults.timeouts", "idle", "\"1h 30m\""),
    ("defaults.timeouts", "poll_min", "\"1ms 5us 3ns\""),
    ("defaults.timeouts", "relaunches", "0"),
    ("defaults.tags", "team", "\"build\""),
    ("defaults.tags", "\"cost: centre\"", "\"\\u00e9 = 1\""),
    ("profile.a", "cluster", "\"other\""),
    ("profile.a", "region", "\"us-east-2\""),
    ("profile.a", "capacity_provider_strategy", "[{ provider = \"FARGATE_SPOT\", base = 2 }]"),
    ("profile.a", "cpu", "2048"),
    ("profile.a", "cache_dir", "\"/cache\""),
    ("profile.a", "job_task_definitions", "[]"),
    ("profile.a.ssh", "user", "\"ci\""),
    ("profile.a.timeouts", "idle", "\"20m\""),
    ("profile.a.timeouts", "keepalive_tries", "7"),
    ("profile.a.tags", "team", "\"\""),
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
        .set("defaults.timeouts", "idle", "\"3m\"")
        .set("defaults.tags", "team", "\"build\"")
        .set("profile.spot", "capacity_provider_strategy", "[{ provider = \"FARGATE_SPOT\" }]")
        .read()
        .unwrap()
        .config;
    assert_snapshot!(config.show(Some("spot")), @r#"
    # effective settings of config.toml
    config_version = 1 # line 1
    # owner is not set: an id kept in the state folder
    state_dir = "/var/lib/fargate-runner" # default
    # log_file is not set: journald
    log_level = "info" # default
    log_format = "json" # default

    [profile.spot]
    cluster = "ci" # line 3
    # region is not set
    subnets = ["subnet-0a1"] # line 5
    security_groups = ["sg-0a1"] # line 4
    task_definition = "ci:7" # line 6
    container = "job" # default
    capacity_provider_strategy = [{ provider = "FARGATE_SPOT", weight = 1, base = 0 }] # line 12
    # platform_version is not set
    # cpu is not set
    # memory is not set
    host_key = "seed" # default
    public_ip = "none" # default
    enable_execute_command = false # default
    job_task_definitions = [] # default
    job_platform_versions = [] # default
    # assume_role_arn is not set
    # assume_role_external_id is not set
    # assume_role_session_name is not set
    # ca_bundle is not set
    shell = "bash" # default
    # builds_dir is not set
    # cache_dir is not set

    [profile.spot.ssh]
    user = "root" # default
    port = 22 # default
    client_key = "ed25519" # default

    [profile.spot.timeouts]
    prepare = "15m" # default
    start = "10m" # default
    ready = "2m" # default
    dial = "1s" # default
    dial_again = "50ms" # default
    handshake = "15s" # default
    authenticate = "15s" # default
    hello = "10s" # default
    send_stall = "1m" # default
    keepalive = "15s" # default
    keepalive_tries = 3 # default
    rekey_mib = 1024 # default
    api_connect = "3s" # default
    api_attempt = "10s" # default
    api_operation = "1m" # default
    poll_min = "200ms" # default
    poll_max = "5s" # default
    reads_per_second = 20 # default
    stop = "10s" # default
    cleanup = "1m" # default
    cancel_grace = "10s" # default
    cancel_return = "2s" # default
    next_stage_grace = "2s" # default
    client_gone = "2m" # default
    resume = "2m" # default
    idle = "3m" # line 10
    exec_idle = "2m" # default
    lifetime_margin = "15m" # default
    job_fallback = "1h" # default
    slow_start = "1m 30s" # default
    progress = "15s" # default
    verdict = "2m" # default
    visible = "1m" # default
    lock = "10s" # default
    tombstone = "1day" # default
    paused = "15m" # default
    second_sighting = "10s" # default
    relaunches = 3 # default
    registry_pause = "30s" # default

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
