//! What a profile inherits, and how one is asked for.

mod common;

use std::time::Duration;

use common::{ConfigDraft, read};
use fargate_config::{DefinitionSource, LaunchMode, LaunchType, StrategyItem, TaskArchitecture};
use insta::assert_snapshot;

#[test]
fn a_profile_inherits_key_by_key_and_tables_key_by_key_but_lists_as_a_whole() {
    let draft = ConfigDraft::least()
        .set("defaults.ssh", "user", "\"ci\"")
        .set("defaults.timeouts", "task_idle", "\"3m\"")
        .set("defaults.timeouts", "session_open", "\"3s\"")
        .set("defaults.tags", "team", "\"build\"")
        .set("defaults.tags", "cost", "\"1\"")
        .set("profile.big", "subnets", "[\"subnet-b\"]")
        .set("profile.big", "cpu", "4096")
        .set("profile.big.ssh", "port", "2222")
        .set("profile.big.timeouts", "session_open", "\"4s\"")
        .set("profile.big.tags", "cost", "\"2\"");
    let config = draft.read().unwrap().config;
    let big = config.profile(Some("big")).unwrap();
    assert_eq!(big.name.as_deref(), Some("big"));
    assert_eq!((big.cluster.as_str(), big.definition()), ("ci", DefinitionSource::Fixed("ci:7")));
    assert_eq!(big.subnets, ["subnet-b"]);
    assert_eq!((big.ssh.user.as_str(), big.ssh.port), ("ci", 2222));
    assert_eq!(big.timeouts.task_idle, Duration::from_secs(180));
    assert_eq!(big.timeouts.session_open, Duration::from_secs(4));
    assert_eq!(big.timeouts.task_start, Duration::from_secs(600));
    let tags: Vec<_> = big.tags.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(tags, [("cost", "2"), ("team", "build")]);

    let defaults = config.profile(None).unwrap();
    assert_eq!((defaults.name, defaults.cpu_units, defaults.ssh.port), (None, None, 22));
    assert_eq!(defaults.subnets, ["subnet-0a1"]);
}

#[test]
fn launch_type_and_strategy_are_one_choice_that_a_profile_may_turn_round() {
    let spot =
        "[{ provider = \"FARGATE_SPOT\", weight = 2 }, { provider = \"FARGATE\", base = 1 }]";
    let draft = ConfigDraft::least()
        .set("defaults", "launch_type", "\"FARGATE\"")
        .set("profile.spot", "capacity_provider_strategy", spot)
        .set("profile.plain", "shell", "\"sh\"");
    let config = draft.read().unwrap().config;
    let item =
        |provider: &str, weight, base| StrategyItem { provider: provider.into(), weight, base };
    assert_eq!(
        config.profile(Some("spot")).unwrap().launch(),
        LaunchMode::Strategy(vec![item("FARGATE_SPOT", 2, 0), item("FARGATE", 1, 1)])
    );
    assert_eq!(
        config.profile(Some("plain")).unwrap().launch(),
        LaunchMode::Type(LaunchType::Fargate)
    );
}

#[test]
fn profiles_are_named_in_the_order_of_the_file() {
    let text =
        format!("{}[profile.z]\n[profile.a]\n[profile.m.ssh]\n", ConfigDraft::least().text());
    assert_eq!(read(&text).unwrap().config.profile_names(), ["z", "a", "m"]);
}

#[test]
fn a_profile_that_is_not_there_gets_the_nearest_or_the_list() {
    let asked = |text: &str, name: &str| {
        let config = read(text).unwrap().config;
        config.profile(Some(name)).unwrap_err().to_string()
    };
    let two = format!("{}[profile.small]\n[profile.large]\n", ConfigDraft::least().text());
    assert_snapshot!(asked(&two, "smal"), @r#"
    config.toml: profile "smal" is not here, nearest is `small`
    hint: `--profile small`
    "#);
    assert_snapshot!(asked(&two, "gpu\n"), @r#"
    config.toml: profile "gpu\x0a" is not here; the file has profiles: small, large
    hint: leave out `--profile` for `[defaults]`, or add `[profile.NAME]`
    "#);
    assert_snapshot!(asked(&ConfigDraft::least().text(), "gpu"), @r#"
    config.toml: profile "gpu" is not here; the file has no profiles
    hint: leave out `--profile` for `[defaults]`, or add `[profile.NAME]`
    "#);
}

#[test]
fn defaults_that_are_no_profile_by_themselves_say_which_profiles_there_are() {
    let draft = ConfigDraft::least()
        .without("defaults", "cluster")
        .without("defaults", "subnets")
        .set("profile.a", "cluster", "\"a\"")
        .set("profile.a", "subnets", "[\"subnet-a\"]");
    let config = draft.read().unwrap().config;
    assert_eq!(config.profile(Some("a")).unwrap().cluster, "a");
    assert_snapshot!(config.profile(None).unwrap_err(), @r#"
    config.toml:2: `[defaults]` alone lacks `cluster`, `subnets`; the file has profiles: a
    hint: choose one: `--profile a`
    "#);
}

#[test]
fn an_arn_may_stand_for_a_name_where_regions_agree() {
    let draft = ConfigDraft::least().set("defaults", "region", "\"cn-north-1\"").set(
        "defaults",
        "cluster",
        "\"arn:aws-cn:ecs:cn-north-1:123456789012:cluster/ci\"",
    );
    let profile = draft.read().unwrap().config.profile(None).unwrap();
    assert_eq!(profile.cluster, "arn:aws-cn:ecs:cn-north-1:123456789012:cluster/ci");
}

#[test]
fn a_fixed_task_definition_and_an_image_are_one_choice_that_a_profile_may_turn_round() {
    let draft = ConfigDraft::least()
        .set("profile.own", "image", "\"team/ci:1\"")
        .set("profile.own", "registry_secret", "\"ci/registry\"")
        .set("profile.plain", "shell", "\"sh\"");
    let config = draft.read().unwrap().config;
    let own = config.profile(Some("own")).unwrap();
    assert_eq!(own.definition(), DefinitionSource::Derived("team/ci:1"));
    assert_eq!(own.task_definition, None);
    let plain = config.profile(Some("plain")).unwrap();
    assert_eq!(plain.definition(), DefinitionSource::Fixed("ci:7"));

    let turned = ConfigDraft::least()
        .without("defaults", "task_definition")
        .set("defaults", "image", "\"team/ci:1\"")
        .set("defaults", "registry_secret", "\"ci/registry\"")
        .set("defaults", "architecture", "\"arm64\"")
        .set("profile.fixed", "task_definition", "\"ci:7\"")
        .set("profile.own", "image", "\"team/ci:2\"");
    let config = turned.read().unwrap().config;
    let fixed = config.profile(Some("fixed")).unwrap();
    assert_eq!(fixed.definition(), DefinitionSource::Fixed("ci:7"));
    assert_eq!((fixed.image, fixed.registry_secret), (None, None));
    let own = config.profile(Some("own")).unwrap();
    assert_eq!(own.definition(), DefinitionSource::Derived("team/ci:2"));
    assert_eq!(own.registry_secret.as_deref(), Some("ci/registry"));
    assert_eq!(own.architecture, TaskArchitecture::Arm64);
}

#[test]
fn what_belongs_to_an_image_may_stand_in_the_defaults_of_profiles_that_name_one() {
    let draft = ConfigDraft::least().without("defaults", "task_definition").set(
        "defaults",
        "registry_secret",
        "\"ci/registry\"",
    );
    let with = draft.clone().set("profile.own", "image", "\"team/ci:1\"");
    assert!(with.read().is_ok());
    let without = draft.set("profile.own", "task_definition", "\"ci:7\"");
    let config = without.read().unwrap().config;
    assert_eq!(config.profile(Some("own")).unwrap().registry_secret, None);
}

#[test]
fn a_public_address_is_a_doubt_that_is_told_once_however_many_profiles_inherit_it() {
    let doubts = |draft: &ConfigDraft| draft.read().expect("in order").config.network_doubts();
    let least = ConfigDraft::least();
    assert_eq!(doubts(&least), []);
    assert_eq!(doubts(&least.clone().set("defaults", "public_ip", "\"none\"")), []);
    let draft = least
        .set("defaults", "public_ip", "\"assigned\"")
        .set("profile.a", "cluster", "\"a\"")
        .set("profile.b", "cluster", "\"b\"")
        .set("profile.c", "public_ip", "\"dialled\"");
    let told: Vec<_> = doubts(&draft).iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("key `defaults.public_ip` is \"assigned\": each task gets a public"));
    assert!(told[1].contains("key `profile.c.public_ip` is \"dialled\""), "{told:?}");
}
