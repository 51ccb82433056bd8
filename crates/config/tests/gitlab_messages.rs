//! What is said about files of GitLab's Fargate driver that are not in order, and about those that
//! are no file of anyone.

mod common;

use common::{ConfigDraft, theirs};
use fargate_config::{ConfigError, UnknownKeyPolicy, load};
use insta::assert_snapshot;

fn refused(file: &ConfigDraft) -> ConfigError {
    common::read(&file.text()).expect_err(&file.text())
}

/// A complete file with one more line.
fn with(table: &str, key: &str, value: &str) -> String {
    refused(&theirs::least().set(table, key, value)).to_string()
}

/// Every key with what it is, theirs and ours.
const KEYS: &[(&str, &str, TomlValueKind)] = &[
    ("", "LogLevel", TomlValueKind::Text),
    ("", "LogFile", TomlValueKind::Text),
    ("", "LogFormat", TomlValueKind::Text),
    ("", "Owner", TomlValueKind::Text),
    ("", "StateDir", TomlValueKind::Text),
    ("", "Fargate", TomlValueKind::Table),
    ("", "TaskMetadata", TomlValueKind::Table),
    ("", "SSH", TomlValueKind::Table),
    ("Fargate", "Cluster", TomlValueKind::Text),
    ("Fargate", "Region", TomlValueKind::Text),
    ("Fargate", "Subnet", TomlValueKind::Text),
    ("Fargate", "SecurityGroup", TomlValueKind::Text),
    ("Fargate", "TaskDefinition", TomlValueKind::Text),
    ("Fargate", "EnablePublicIP", TomlValueKind::Switch),
    ("Fargate", "UsePublicIP", TomlValueKind::Switch),
    ("Fargate", "PlatformVersion", TomlValueKind::Text),
    ("Fargate", "EnableExecuteCommand", TomlValueKind::Switch),
    ("Fargate", "Subnets", TomlValueKind::List),
    ("Fargate", "SecurityGroups", TomlValueKind::List),
    ("Fargate", "Container", TomlValueKind::Text),
    ("Fargate", "LaunchType", TomlValueKind::Text),
    ("Fargate", "CapacityProviderStrategy", TomlValueKind::List),
    ("Fargate", "CapacityFallback", TomlValueKind::List),
    ("Fargate", "PropagateTags", TomlValueKind::Text),
    ("Fargate", "EnableEcsManagedTags", TomlValueKind::Switch),
    ("Fargate", "CPU", TomlValueKind::Number),
    ("Fargate", "Memory", TomlValueKind::Number),
    ("Fargate", "HostKey", TomlValueKind::Text),
    ("Fargate", "PublicIP", TomlValueKind::Text),
    ("Fargate", "JobTaskDefinitions", TomlValueKind::List),
    ("Fargate", "JobPlatformVersions", TomlValueKind::List),
    ("Fargate", "AssumeRoleArn", TomlValueKind::Text),
    ("Fargate", "AssumeRoleExternalId", TomlValueKind::Text),
    ("Fargate", "AssumeRoleSessionName", TomlValueKind::Text),
    ("Fargate", "CaBundle", TomlValueKind::Text),
    ("Fargate", "Shell", TomlValueKind::Text),
    ("Fargate", "BuildsDir", TomlValueKind::Text),
    ("Fargate", "CacheDir", TomlValueKind::Text),
    ("Fargate", "Timeouts", TomlValueKind::Table),
    ("Fargate", "Limits", TomlValueKind::Table),
    ("Fargate", "Tags", TomlValueKind::Table),
    ("Fargate.Timeouts", "EcsPollMin", TomlValueKind::Text),
    ("Fargate.Limits", "TaskRelaunches", TomlValueKind::Number),
    ("Fargate.Tags", "team", TomlValueKind::Text),
    ("TaskMetadata", "Directory", TomlValueKind::Text),
    ("SSH", "Username", TomlValueKind::Text),
    ("SSH", "User", TomlValueKind::Text),
    ("SSH", "Port", TomlValueKind::Number),
    ("SSH", "ClientKey", TomlValueKind::Text),
    ("SSH", "KeepaliveTries", TomlValueKind::Number),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum TomlValueKind {
    Text,
    Number,
    Switch,
    List,
    Table,
}

/// A value of every kind of TOML.
const VALUES: &[(TomlValueKind, &str)] = &[
    (TomlValueKind::Text, "\"x y\""),
    (TomlValueKind::Number, "7"),
    (TomlValueKind::Switch, "true"),
    (TomlValueKind::List, "[{ a = [] }]"),
    (TomlValueKind::Table, "{ a = 1 }"),
    // No key is one of these.
    (TomlValueKind::Table, "1.5"),
    (TomlValueKind::Table, "1979-05-27"),
];

#[test]
fn every_key_with_every_wrong_type_has_one_problem_with_its_line_and_its_own_spelling() {
    for (table, key, kind) in KEYS {
        let wrong = VALUES.iter().filter(|(other, value)| {
            (other != kind || ["1.5", "1979-05-27"].contains(value))
                // An empty table of a table's own kind is none of the wrong ones.
                && !(*kind == TomlValueKind::Table && *value == "{ a = 1 }")
        });
        for (_, value) in wrong {
            for name in [(*key).to_owned(), key.to_lowercase(), key.to_uppercase()] {
                if *table == "Fargate.Tags" && name != *key {
                    continue;
                }
                one_problem(table, key, &name, value);
            }
        }
    }
}

fn one_problem(table: &str, key: &str, name: &str, value: &str) {
    let mut text = theirs::least().without(table, key).set(table, name, value).text();
    if ["Fargate", "TaskMetadata", "SSH"].contains(&key) {
        // The table itself: what is below it goes, and is not called missing as well.
        let at = text.find(&format!("[{key}]\n")).expect("the table");
        let end = text[at + 1..].find("\n[").map_or(text.len(), |end| at + 1 + end + 1);
        text.replace_range(at..end, "");
    }
    let problems = common::read(&text).expect_err(&text).problems;
    assert_eq!(problems.len(), 1, "{text}\n{problems:#?}");
    let dotted = if table.is_empty() { name.to_owned() } else { format!("{table}.{name}") };
    assert_eq!(problems[0].key.as_deref(), Some(dotted.as_str()), "{text}");
    let start = format!("{name} = ");
    let line = 1 + text.lines().position(|line| line.starts_with(&start)).expect("the line");
    assert_eq!(problems[0].line, Some(line), "{text}");
    let said = problems[0].to_string();
    assert!(said.contains(" is expected") && !said.contains("defaults"), "{said}");
}

#[test]
fn values_that_aws_would_refuse_are_named_with_what_is_allowed() {
    assert_snapshot!(with("Fargate", "Subnet", "\"subnet-xxxxxx\""), @r#"config.toml:4: key `Fargate.Subnet` is "subnet-xxxxxx", an id is expected: `subnet-` and lower-case hexadecimal digits"#);
    assert_snapshot!(with("Fargate", "TaskDefinition", "\"a b\""), @r#"
    config.toml:5: key `Fargate.TaskDefinition` is "a b", allowed are `family`, `family:revision` or the ARN of a task definition
    hint: a family has 1 to 255 ASCII letters, digits, `-` and `_`
    "#);
    assert_snapshot!(with("Fargate", "Region", "\"us-east-2b\""), @r#"
    config.toml:3: key `Fargate.Region` is "us-east-2b", a Region such as `eu-west-1` is expected
    hint: an availability zone is in Region `us-east-2`
    "#);
    assert_snapshot!(with("SSH", "Port", "65536"), @r#"config.toml:7: key `SSH.Port` is 65536, a number from 1 to 65535 is expected"#);
    assert_snapshot!(with("", "LogLevel", "\"loud\""), @r#"config.toml:1: key `LogLevel` is "loud", allowed are `trace`, `debug`, `info`, `warn`, `warning`, `error`, `fatal`, `panic`"#);
    assert_snapshot!(with("", "LogFormat", "\"xml\""), @r#"config.toml:1: key `LogFormat` is "xml", allowed are `json`, `text`, `text-simple`"#);
    assert_snapshot!(with("TaskMetadata", "Directory", "\"metadata\""), @r#"config.toml:9: key `TaskMetadata.Directory` is "metadata", an absolute path is expected"#);
    assert_snapshot!(with("Fargate", "Subnets", "\"subnet-0a1\""), @r#"
    config.toml:5: key `Fargate.Subnets` is a string, a list of 1 to 16 strings is expected
    hint: `Subnets = ["subnet-0a1"]`
    "#);
    assert_snapshot!(with("Fargate", "LaunchType", "\"FARGATE_SPOT\""), @r#"
    config.toml:3: key `Fargate.LaunchType` is "FARGATE_SPOT", allowed are `FARGATE`, `CLUSTER`
    hint: Spot is a provider: `capacity_provider_strategy = [{ provider = "FARGATE_SPOT" }]`
    "#);
    assert_snapshot!(with("Fargate.Timeouts", "Prepare", "30"), @r#"
    config.toml:7: key `Fargate.Timeouts.Prepare` is a whole number, a duration from 10ms to 6h in quotes is expected
    hint: write the unit: `"30s"`
    "#);
}

#[test]
fn values_that_do_not_fit_each_other_name_their_own_keys() {
    let file = theirs::least()
        .set("Fargate", "Region", "\"eu-west-1\"")
        .set("Fargate", "Cluster", "\"arn:aws:ecs:us-east-1:123456789012:cluster/ci\"")
        .set("Fargate", "CPU", "1024")
        .set("Fargate", "Memory", "512")
        .set("Fargate", "AssumeRoleExternalId", "\"ci\"");
    assert_snapshot!(refused(&file), @r#"
    config.toml:2: key `Fargate.AssumeRoleExternalId` stands without `assume_role_arn`
      config.toml:4: key `Fargate.Cluster` is in Region us-east-1, `region` is eu-west-1 (line 6)
      config.toml:5: key `Fargate.Memory` is 512, which does not fit cpu 1024 (line 3), allowed: 2048, 3072, 4096, 5120, 6144, 7168, 8192
    hint: `assume_role_arn = "arn:aws:iam::123456789012:role/ci-runner"`
    "#);
}

#[test]
fn one_key_in_two_spellings_is_refused() {
    assert_snapshot!(with("Fargate", "cluster", "\"other\""), @r#"
    config.toml:6: key `Fargate.cluster` is the same key as `Fargate.Cluster` (line 2)
    hint: leave out one of them
    "#);
    assert_snapshot!(with("fargate", "Region", "\"us-east-2\""), @r#"
    config.toml:10: key `fargate` is the same key as `Fargate` (line 1)
    hint: leave out one of them
    "#);
    assert_snapshot!(with("SSH", "USERNAME", "\"ci\""), @r#"
    config.toml:8: key `SSH.Username` is the same key as `SSH.USERNAME` (line 7)
    hint: leave out one of them
    "#);
}

#[test]
fn all_missing_keys_are_named_at_once() {
    let none = common::read("LogLevel = \"info\"\n").expect_err("nothing");
    assert_snapshot!(none, @r#"
    config.toml: keys `Fargate.Cluster`, `Fargate.Subnet`, `Fargate.SecurityGroup`, `Fargate.TaskDefinition`, `TaskMetadata.Directory`, `SSH.Username` are missing
    hint: a file without `config_version` is read as one of GitLab's Fargate driver; `config_version = 1` begins one of ours, `fargate-runner config init` writes it
    "#);
    assert_snapshot!(refused(&theirs::least().without("SSH", "Username")), @r#"
    config.toml: key `SSH.Username` is missing
    hint: for example `Username = "root"`
    "#);
    let two = theirs::least().without("Fargate", "Subnet").set("TaskMetadata", "Directory", "\"\"");
    assert_snapshot!(refused(&two), @r#"
    config.toml: keys `Fargate.Subnet`, `TaskMetadata.Directory` are missing
    hint: for example `Subnet = "subnet-0a1b2c3d4e5f60718"`
    "#);
    let misspelt = theirs::least().without("Fargate", "Cluster").set("Fargate", "Clutser", "\"x\"");
    assert_snapshot!(refused(&misspelt), @r#"
    config.toml: key `Fargate.Cluster` is missing
    hint: key `Fargate.Clutser` is not known here, nearest is `Cluster` (line 2)
    "#);
    let lower = theirs::least().text().replace("[SSH]", "[ssh]").replace("Username", "Name");
    assert_snapshot!(common::read(&lower).expect_err("no user"), @r#"
    config.toml: key `ssh.Username` is missing
    hint: for example `Username = "root"`
    "#);
}

#[test]
fn unknown_keys_are_warnings_wherever_they_stand() {
    let file = theirs::least()
        .set("", "LogFil", "\"x\"")
        .set("", "Cluster", "\"ci\"")
        .set("Fargate", "Subnett", "1")
        .set("Fargate", "Username", "[]")
        .set("Fargate", "sysctls", "[\"/cache\"]")
        .set("Fargate.Timeouts", "Prepar", "1")
        .set("TaskMetadata", "Dir", "1")
        .set("SSH", "Identity", "1")
        .set("Other", "x", "1");
    let loaded = common::read(&file.text()).unwrap();
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_snapshot!(warnings.join("\n"), @r#"
    config.toml:1: key `Cluster` is not known here, it belongs in `[Fargate]`
    config.toml:2: key `LogFil` is not known here, nearest is `LogFile`
    config.toml:7: key `Fargate.Subnett` is not known here, nearest is `Subnet`
    config.toml:9: key `Fargate.Username` is not known here, it belongs in `[SSH]`
    config.toml:10: key `Fargate.sysctls` is not known here, it is ignored
    config.toml:12: key `Fargate.Timeouts.Prepar` is not known here, nearest is `prepare`
    config.toml:13: key `Other` is not known here, it is ignored
    config.toml:16: key `SSH.Identity` is not known here, it is ignored
    config.toml:19: key `TaskMetadata.Dir` is not known here, it is ignored
    "#);
}

#[test]
fn a_profile_is_not_among_what_such_a_file_has() {
    let config = common::read(&theirs::least().text()).unwrap().config;
    assert_snapshot!(config.profile(Some("big")).unwrap_err(), @r#"
    config.toml: profile "big" is not here: a file of GitLab's Fargate driver has none
    hint: leave out `--profile`, or see `fargate-runner config import`
    "#);
}

#[test]
fn a_file_of_ours_without_its_version_is_told_so_whatever_its_keys() {
    for text in ["[defaults]\ncluster = \"ci\"\n", "[profile.a]\n", "[defaults]\n[SSH]\n"] {
        let said = common::read(text).expect_err(text).to_string();
        assert!(said.contains("key `config_version` is missing"), "{said}");
    }
    // With their main table it is theirs, and our tables are unknown.
    let mixed = format!("{}[defaults]\ncluster = \"x\"\n", theirs::least().text());
    assert_eq!(common::read(&mixed).unwrap().warnings.len(), 1);
}

#[test]
fn marks_and_line_ends_of_windows_change_nothing() {
    let text = format!("\u{feff}{}", theirs::least().text().replace('\n', "\r\n"));
    let own = common::read(&theirs::least().text()).unwrap().config;
    assert_eq!(common::read(&text).unwrap().config.profile(None), own.profile(None));
}

#[test]
fn a_file_that_is_too_large_is_refused_whatever_it_holds() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let comment = "#".repeat(usize::try_from(fargate_config::MAX_FILE_BYTES).unwrap());
    std::fs::write(file.path(), theirs::least().text() + &comment).unwrap();
    let said = load(file.path(), UnknownKeyPolicy::Warn).unwrap_err().to_string();
    assert!(said.contains("at most 1048576 are read"), "{said}");
}
