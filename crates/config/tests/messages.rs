//! What people read: the wording of whole reports, as they follow `error: ` on a terminal.

mod common;

use std::path::Path;

use common::{ConfigDraft, read};
use fargate_config::{REFERENCE, UnknownKeyPolicy, parse};
use insta::assert_snapshot;

fn report(text: &str) -> String {
    read(text).expect_err(text).to_string()
}

/// A complete file with more lines in one table.
fn with(table: &str, key: &str, value: &str) -> String {
    ConfigDraft::least().set(table, key, value).read().expect_err(value).to_string()
}

#[test]
fn a_misspelt_key_gets_its_nearest_and_an_example() {
    let text = ConfigDraft::least().text().replace("subnets", "subnet");
    assert_snapshot!(report(&text), @r#"
    config.toml:5: key `defaults.subnet` is not known here, nearest is `subnets`
    hint: a list is expected: `subnets = ["subnet-0a1"]`
    "#);
    assert_snapshot!(with("defaults", "SecurityGroup", "\"sg-1\""), @r#"
    config.toml:3: key `defaults.SecurityGroup` is not known here, nearest is `security_groups`
    hint: a list is expected: `security_groups = ["sg-0a1"]`
    "#);
    assert_snapshot!(with("defaults.timeouts", "keep-alive", "\"1s\""), @r#"
    config.toml:8: key `defaults.timeouts.keep-alive` is not known here, nearest is `keepalive_interval`
    hint: write it as in `keepalive_interval = "15s"`
    "#);
    assert_snapshot!(with("defaults.ssh", "Username", "\"root\""), @r#"
    config.toml:8: key `defaults.ssh.Username` is not known here, nearest is `user`
    hint: write it as in `user = "root"`
    "#);
    assert_snapshot!(with("", "zzz", "1"), @r#"config.toml:2: key `zzz` is not known here; known are: config_version, owner, state_dir, log_file, log_level, log_format, serve, history, notify, prices, defaults, profile, volume, images, image"#);
    assert_snapshot!(with("defaults", "EnablePublicIP", "true"), @r#"
    config.toml:3: key `defaults.EnablePublicIP` is not known here, nearest is `public_ip`
    hint: `public_ip = "dialled"` is what `EnablePublicIP = true` was, `public_ip = "assigned"` what it was with `UsePublicIP = false`
    "#);
}

#[test]
fn a_key_in_the_wrong_table_is_told_where_it_belongs() {
    assert_snapshot!(with("", "cluster", "\"ci\""), @r#"
    config.toml:1: key `cluster` is not known here, it belongs in `[defaults]` or `[profile.NAME]`
    hint: write `cluster = "ci"` there
    "#);
    assert_snapshot!(with("defaults", "port", "2222"), @r#"
    config.toml:4: key `defaults.port` is not known here, it belongs in `[defaults.ssh]` or `[profile.NAME.ssh]`
    hint: write `port = 22` there
    "#);
    assert_snapshot!(with("ssh", "port", "2222"), @r#"
    config.toml:7: key `ssh` is not known here, it belongs in `[defaults]` or `[profile.NAME]`
    hint: write `[defaults.ssh]`
    "#);
    assert_snapshot!(with("profile.big", "log_level", "\"info\""), @r#"
    config.toml:8: key `profile.big.log_level` is not known here, it belongs at the top of the file
    hint: write `log_level = "info"` there
    "#);
    assert_snapshot!(with("profile", "cluster", "\"ci\""), @r#"
    config.toml:8: key `profile.cluster` stands right under `[profile]`, a profile has a name
    hint: `[profile.NAME]`
    "#);
}

#[test]
fn a_value_of_another_kind_is_named_with_what_is_expected() {
    assert_snapshot!(with("defaults.ssh", "port", "\"22\""), @r#"config.toml:8: key `defaults.ssh.port` is a string, a number from 1 to 65535 is expected"#);
    assert_snapshot!(with("defaults", "subnets", "\"subnet-0a1\""), @r#"
    config.toml:5: key `defaults.subnets` is a string, a list of 1 to 16 strings is expected
    hint: `subnets = ["subnet-0a1"]`
    "#);
    assert_snapshot!(with("defaults.timeouts", "task_start", "600"), @r#"
    config.toml:8: key `defaults.timeouts.task_start` is a whole number, a duration from 10ms to 6h in quotes is expected
    hint: write the unit: `"600s"`
    "#);
    assert_snapshot!(with("defaults", "ssh", "22"), @r#"
    config.toml:5: key `defaults.ssh` is a whole number, a table is expected
    hint: `[defaults.ssh]`
    "#);
    assert_snapshot!(with("defaults", "cpu", "\"1 vCPU\""), @r#"config.toml:4: key `defaults.cpu` is a string, one of the numbers 256, 512, 1024, 2048, 4096, 8192, 16384, 32768 is expected"#);
}

#[test]
fn a_host_key_that_a_role_proves_needs_the_role() {
    assert_snapshot!(with("defaults", "host_key", "\"sts\""), @r#"
    config.toml:4: key `defaults.host_key` is "sts", which needs `task_role`, the role that proves the key
    hint: `task_role = "arn:aws:iam::123456789012:role/ci-task"`
    "#);
}

#[test]
fn a_value_outside_its_limits_is_named_with_what_is_allowed() {
    assert_snapshot!(with("defaults.ssh", "port", "70000"), @r#"config.toml:8: key `defaults.ssh.port` is 70000, a number from 1 to 65535 is expected"#);
    assert_snapshot!(with("defaults.timeouts", "task_idle", "\"1500ms\""), @r#"config.toml:8: key `defaults.timeouts.task_idle` is "1500ms", whole seconds are expected, 1s to 1day"#);
    assert_snapshot!(with("defaults.timeouts", "ecs_poll_min", "\"0s\""), @r#"config.toml:8: key `defaults.timeouts.ecs_poll_min` is "0s", allowed is 1ms to 1m"#);
    assert_snapshot!(with("defaults.timeouts", "prepare", "\"a while\""), @r#"
    config.toml:8: key `defaults.timeouts.prepare` is "a while", a duration from 10ms to 6h is expected
    hint: a number and its unit, such as `"200ms"`, `"30s"` or `"1h 30m"`
    "#);
    assert_snapshot!(with("defaults", "shell", "\"zsh\""), @r#"config.toml:5: key `defaults.shell` is "zsh", allowed are `bash`, `sh`, `runner`"#);
    assert_snapshot!(with("defaults", "host_key", "\"none\""), @r#"config.toml:4: key `defaults.host_key` is "none", allowed are `seed`, `sts`, `first_use`"#);
    assert_snapshot!(with("defaults", "launch_type", "\"FARGATE_SPOT\""), @r#"
    config.toml:4: key `defaults.launch_type` is "FARGATE_SPOT", allowed are `FARGATE`, `CLUSTER`
    hint: Spot is a provider: `capacity_provider_strategy = [{ provider = "FARGATE_SPOT" }]`
    "#);
    assert_snapshot!(with("defaults", "region", "\"eu-west-1b\""), @r#"
    config.toml:4: key `defaults.region` is "eu-west-1b", a Region such as `eu-west-1` is expected
    hint: an availability zone is in Region `eu-west-1`
    "#);
    assert_snapshot!(with("defaults", "memory", "3000"), @r#"
    config.toml:4: key `defaults.memory` is 3000, a number of MiB that Fargate offers, from 512 to 249856, is expected
    hint: `memory = 3072`
    "#);
    assert_snapshot!(with("defaults", "subnets", "[\"subnet-1\", \"sg-1\"]"), @r#"config.toml:5: key `defaults.subnets` has "sg-1" as item 2, an id is expected: `subnet-` and lower-case hexadecimal digits"#);
    assert_snapshot!(with("defaults.tags", "\"aws:x\"", "\"y\""), @r#"config.toml:8: key `defaults.tags."aws:x"` has a name that is not allowed: a name that begins with `aws:` is reserved"#);
    assert_snapshot!(with("profile.\"a b\"", "cpu", "256"), @r#"config.toml:7: key `profile."a b"` has a name that no profile may have: allowed are 1 to 64 ASCII letters, digits, `-` and `_`"#);
}

#[test]
fn values_that_do_not_fit_each_other_name_both_and_the_place_of_the_other() {
    let file = |table: &str, lines: &str| {
        report(&format!("{}[{table}]\n{lines}", ConfigDraft::least().text()))
    };
    assert_snapshot!(file("profile.big", "cpu = 1024\nmemory = 3072\n[profile.odd]\ncpu = 1024\nmemory = 16384\n"), @r#"
    config.toml:12: key `profile.odd.memory` is 16384, which does not fit cpu 1024 (line 11), allowed: 2048, 3072, 4096, 5120, 6144, 7168, 8192
    hint: `memory = 8192`
    "#);
    assert_snapshot!(file("defaults.timeouts", "task_start = \"20m\"\n"), @r#"
    config.toml:8: key `defaults.timeouts.task_start` is 20m, more than `prepare` with 15m (default)
    hint: `task_start` is at most `prepare`
    "#);
    assert_snapshot!(file("defaults.timeouts", "task_start = \"5m\"\n[profile.a.timeouts]\nprepare = \"1m\"\n"), @r#"
    config.toml:10: key `profile.a.timeouts.prepare` is 1m, less than `task_start` with 5m (line 8)
    hint: `task_start` is at most `prepare`
    "#);
    assert_snapshot!(with("defaults", "launch_type", "\"FARGATE\"\ncapacity_provider_strategy = [{ provider = \"FARGATE\" }]"), @r#"
    config.toml:5: key `defaults.capacity_provider_strategy` stands beside `launch_type`, ECS takes one of the two
    hint: leave out `launch_type`
    "#);
    let arn = "\"arn:aws:ecs:us-east-1:123456789012:task-definition/ci\"";
    assert_snapshot!(with("defaults", "task_definition", &format!("{arn}\nregion = \"eu-west-1\"")), @r#"config.toml:6: key `defaults.task_definition` is in Region us-east-1, `region` is eu-west-1 (line 7)"#);
    let cluster = "\"arn:aws:ecs:us-east-1:210987654321:cluster/ci\"";
    let two_arns = ConfigDraft::least().set("defaults", "cluster", cluster).set(
        "defaults",
        "task_definition",
        arn,
    );
    assert_snapshot!(two_arns.read().unwrap_err(), @r#"config.toml:6: key `defaults.task_definition` is in Region us-east-1 of account 123456789012, the cluster is in Region us-east-1 of account 210987654321 (line 3)"#);
    assert_snapshot!(file("defaults.ssh", "[profile.a]\nmemory = 512\n[profile.b]\nmemory = 512\ncpu = 1024\n"), @r#"
    config.toml:12: key `profile.b.cpu` is 1024, which memory 512 (line 11) does not fit, allowed with it: 2048, 3072, 4096, 5120, 6144, 7168, 8192
    hint: `memory = 2048`
    "#);
}

#[test]
fn what_says_how_a_role_is_assumed_needs_one_of_the_right_partition() {
    assert_snapshot!(with("defaults", "assume_role_external_id", "\"ci\""), @r#"
    config.toml:3: key `defaults.assume_role_external_id` stands without `assume_role_arn`
    hint: `assume_role_arn = "arn:aws:iam::123456789012:role/ci-runner"`
    "#);
    let arn = "\"arn:aws:iam::123456789012:role/ci\"";
    let draft = ConfigDraft::least().set("defaults", "region", "\"cn-north-1\"");
    assert_snapshot!(draft.set("profile.a", "assume_role_arn", arn).read().unwrap_err(), @r#"config.toml:9: key `profile.a.assume_role_arn` is in partition aws, Region cn-north-1 (line 4) is in aws-cn"#);
    let inherited = ConfigDraft::least().set("defaults", "assume_role_arn", arn).set(
        "profile.a",
        "assume_role_external_id",
        "\"ci\"",
    );
    let role = inherited.read().unwrap().config.profile(Some("a")).unwrap().account().role.unwrap();
    assert_eq!(role.external_id.as_deref(), Some("ci"));
}

#[test]
fn a_password_in_the_url_of_the_history_is_refused_and_not_shown() {
    assert_snapshot!(with("history", "url", "\"postgres://ci:s3cret@db/ci\""), @"
    config.toml:8: key `history.url` is a value that is not shown, a password is not allowed here
    hint: put it into `~/.pgpass` or the variable `PGPASSWORD`
    ");
}

#[test]
fn the_reference_as_written_lacks_only_what_it_marks_as_required() {
    assert_snapshot!(report(REFERENCE), @r#"
    config.toml:376: key `defaults.cluster` is missing
      config.toml:376: key `defaults.subnets` is missing
      config.toml:376: key `defaults.security_groups` is missing
      config.toml:376: key `defaults.task_definition` is missing
    hint: for example `cluster = "ci"`
    "#);
}

#[test]
fn a_refused_required_key_is_not_called_missing_as_well() {
    let text = "config_version = 1\n[defaults]\ncluster = 1\nsubnet = []\n";
    assert_snapshot!(report(text), @r#"
    config.toml:2: key `defaults.security_groups` is missing
      config.toml:2: key `defaults.task_definition` is missing
      config.toml:3: key `defaults.cluster` is a whole number, a string is expected
      config.toml:4: key `defaults.subnet` is not known here, nearest is `subnets`
    hint: for example `security_groups = ["sg-0a1"]`
    "#);
}

#[test]
fn a_profile_that_lacks_a_key_says_that_the_defaults_lack_it_too() {
    let draft = ConfigDraft::least()
        .without("defaults", "cluster")
        .set("profile.a", "cluster", "\"a\"")
        .set("profile.b", "shell", "\"sh\"");
    assert_snapshot!(draft.read().unwrap_err(), @r#"
    config.toml:8: key `profile.b.cluster` is missing, here and in `[defaults]`
    hint: for example `cluster = "ci"`
    "#);
}

#[test]
fn many_problems_are_listed_in_the_order_of_the_file_up_to_a_limit() {
    let mut text = "config_version = 1\nowner = \"a b\"\n[defaults]\n".to_owned();
    for n in 1..=12 {
        text.push_str(&format!("zz{n} = 1\n"));
    }
    let problems = read(&text).unwrap_err();
    assert_eq!(problems.problems.len(), 1 + 12 + 4, "the four required keys are missing");
    let lines: Vec<_> = problems.facts();
    assert_eq!(lines.len(), 10);
    assert_snapshot!(lines[9], @r#"and 7 more"#);
    let order: Vec<_> = problems.problems.iter().filter_map(|problem| problem.line).collect();
    assert!(order.is_sorted());
}

#[test]
fn a_file_of_another_grammar_is_told_apart() {
    assert_snapshot!(report("[Fargate]\nCluster = \"ci\"\n[SSH]\nPort = 22\n"), @r#"
    config.toml: keys `Fargate.Subnet`, `Fargate.SecurityGroup`, `Fargate.TaskDefinition`, `TaskMetadata.Directory`, `SSH.Username` are missing
    hint: for example `Subnet = "subnet-0a1b2c3d4e5f60718"`
    "#);
    assert_snapshot!(report("[defaults]\ncluster = \"ci\"\n"), @r#"
    config.toml: key `config_version` is missing, `config_version = 1` is expected
    hint: `config_version = 1` as the first line
    "#);
    assert_snapshot!(report("x = 1\n"), @r#"
    config.toml: keys `Fargate.Cluster`, `Fargate.Subnet`, `Fargate.SecurityGroup`, `Fargate.TaskDefinition`, `TaskMetadata.Directory`, `SSH.Username` are missing
    hint: a file without `config_version` is read as one of GitLab's Fargate driver; `config_version = 1` begins one of ours, `fargate-runner config init` writes it
    "#);
    assert_snapshot!(report("config_version = 2\nnew_key = 1\n"), @r#"
    config.toml:1: key `config_version` is 2, this version of fargate-runner reads 1
    hint: a file with a higher number needs a newer fargate-runner
    "#);
    assert_snapshot!(report("config_version = \"1\"\n"), @r#"
    config.toml:1: key `config_version` is a string, 1 is expected
    hint: `config_version = 1`
    "#);
}

#[test]
fn text_that_is_no_toml_has_one_problem_with_its_line() {
    assert_snapshot!(report("config_version = 1\n[defaults\n"), @r#"config.toml:2: TOML syntax: unclosed table, expected `]`"#);
    assert_snapshot!(report("config_version = 1\ncluster = ci\nsubnets = [\n"), @r#"config.toml:3: TOML syntax: unclosed array, expected `]`"#);
    assert_snapshot!(report("config_version = 1\nconfig_version = 1\n"), @r#"config.toml:2: TOML syntax: duplicate key"#);
    assert_snapshot!(report(""), @r#"
    config.toml: this file is empty
    hint: `fargate-runner config init` writes a file to begin with
    "#);
    assert_snapshot!(report(" \r\n\t\n"), @r#"
    config.toml: this file is empty
    hint: `fargate-runner config init` writes a file to begin with
    "#);
    assert_snapshot!(report("config_version = 1\n\0\0"), @r#"
    config.toml:2: this is no text, it holds a NUL byte
    hint: a configuration is a TOML file in UTF-8
    "#);
}

#[test]
fn what_was_given_cannot_move_the_cursor_or_fill_the_screen() {
    let long = format!("\"\\u001b[2J{}\"", "x".repeat(10_000));
    assert_snapshot!(with("defaults", "shell", &long), @r#"config.toml:5: key `defaults.shell` is "\x1b[2Jxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxxxxx", allowed are `bash`, `sh`, `runner`"#);
    let key = format!("\"\\u001b[2J{}\"", "x".repeat(10_000));
    let said = with("defaults", &key, "1");
    assert!(said.starts_with("config.toml:3: key `defaults.\"\\x1b[2Jxxx"), "{said}");
    assert!(said.len() < 600, "{said}");
}

#[test]
fn inside_a_jobs_stages_an_unknown_key_is_only_a_warning() {
    let text =
        ConfigDraft::least().set("defaults", "subnett", "1").set("", "future", "{ a = 1 }").text();
    let loaded = parse(&text, Path::new("config.toml"), UnknownKeyPolicy::Warn).unwrap();
    let warnings: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_snapshot!(warnings.join("\n"), @r#"
    config.toml:2: key `future` is not known here; known are: config_version, owner, state_dir, log_file, log_level, log_format, serve, history, notify, prices, defaults, profile, volume, images, image
    config.toml:7: key `defaults.subnett` is not known here, nearest is `subnets`
    "#);
    let refused = read(&text).unwrap_err();
    assert_eq!(refused.problems, loaded.warnings);

    let text = ConfigDraft::least().text().replace("subnets", "subnet");
    let problems = parse(&text, Path::new("config.toml"), UnknownKeyPolicy::Warn).unwrap_err();
    assert_snapshot!(problems, @r#"
    config.toml:2: key `defaults.subnets` is missing
    hint: for example `subnets = ["subnet-0a1"]`
    "#);
}

#[test]
fn a_profile_names_a_task_definition_or_an_image_and_exactly_one_of_them() {
    let both = ConfigDraft::least().set("defaults", "image", "\"team/ci:1\"");
    assert_snapshot!(both.read().unwrap_err(), @r#"
    config.toml:4: key `defaults.image` stands beside `task_definition`, one says which task definition, the other makes one
    hint: leave out `task_definition`
    "#);
    let neither = ConfigDraft::least().without("defaults", "task_definition");
    assert_snapshot!(neither.read().unwrap_err(), @r#"
    config.toml:2: key `defaults.task_definition` is missing
    hint: for example `task_definition = "ci"`, or `image = "my-organisation/my-image:latest"`
    "#);
    let secret = ConfigDraft::least().set("defaults", "registry_secret", "\"ci/registry\"");
    assert_snapshot!(secret.read().unwrap_err(), @r#"
    config.toml:4: key `defaults.registry_secret` stands without `image`
    hint: `image = "my-organisation/my-image:latest"`
    "#);
    let family = ConfigDraft::least()
        .without("defaults", "task_definition")
        .set("defaults", "image", "\"team/ci:1\"")
        .set("defaults", "task_definition_family", "\"ci:7\"");
    assert_snapshot!(family.read().unwrap_err(), @r#"
    config.toml:7: key `defaults.task_definition_family` is "ci:7", allowed are 1 to 255 ASCII letters, digits, `-` and `_`
    hint: a family is written without its revision
    "#);
    let image = ConfigDraft::least().without("defaults", "task_definition").set(
        "defaults",
        "image",
        "\"team/my image\"",
    );
    assert_snapshot!(image.read().unwrap_err(), @r#"
    config.toml:4: key `defaults.image` is "team/my image", allowed are 1 to 255 ASCII letters, digits and `- _ . : / @`
    hint: such as `my-organisation/my-image:latest`
    "#);
}

#[test]
fn a_login_of_a_replica_is_for_a_registry_that_a_replica_has() {
    let told = |login: &str| {
        let draft = ConfigDraft::least()
            .set("image.ci", "repository", "\"registry.example/ci\"")
            .set("image.ci", "context", "\"/srv/ci\"")
            .set("image.ci", "manifest", "\"/srv/images.json\"")
            .set("image.ci", "replicas", "[\"other.example/ci\"]");
        let draft = draft.set("image.ci", "replica_secrets", &format!("[\"{login}=ci/login\"]"));
        draft.read().map(drop).map_err(|problems| problems.to_string())
    };
    assert_eq!(told("other.example"), Ok(()));
    assert_snapshot!(told("registry.example").unwrap_err(), @r#"
    config.toml:10: key `image.ci.replica_secrets` has a login for "registry.example", the registry of `repository`
    hint: name that login as `registry_secret`
    "#);
    assert_snapshot!(told("third.example").unwrap_err(), @r#"
    config.toml:10: key `image.ci.replica_secrets` has a login for "third.example", a registry that no replica has
    hint: name a registry of `replicas`
    "#);
}

#[test]
fn a_channel_needs_its_image_and_a_name_that_a_channel_may_have() {
    let image = |reference: &str| {
        let draft = ConfigDraft::least()
            .set("image.ci", "repository", "\"registry.example/ci\"")
            .set("image.ci", "context", "\"/srv/ci\"")
            .set("image.ci", "manifest", "\"/srv/images.json\"");
        draft.set("profile.own", "image", &format!("\"{reference}\""))
    };
    let told = |reference: &str| image(reference).read().expect_err(reference).to_string();
    assert_snapshot!(told("c@stable"), @r#"
    config.toml:12: key `profile.own.image` is "c@stable", a channel of an image, and `[image.c]` is not here
    hint: nearest is `image = "ci@stable"`
    "#);
    assert_snapshot!(told("node@stable"), @r#"
    config.toml:12: key `profile.own.image` is "node@stable", a channel of an image, and `[image.node]` is not here
    hint: add `[image.node]`, or name an image by tag or digest
    "#);
    assert_snapshot!(told("ci@Stable"), @r#"
    config.toml:12: key `profile.own.image` is "ci@Stable"; behind `@` stands a digest, or a channel of 1 to 32 lower-case letters, digits and hyphens
    hint: such as `ci@stable`
    "#);
    assert_snapshot!(told("ci@"), @r#"
    config.toml:12: key `profile.own.image` is "ci@"; behind `@` stands a digest, or a channel of 1 to 32 lower-case letters, digits and hyphens
    hint: such as `ci@stable`
    "#);
    let channel = |reference: &str| {
        let config = image(reference).read().unwrap_or_else(|error| panic!("{error}")).config;
        config.profile(Some("own")).unwrap().channel.map(|channel| channel.channel)
    };
    assert_eq!(channel("ci@stable").as_deref(), Some("stable"));
    let digest = format!("ci@sha256:{:064}", 1);
    for other in ["ci:1", "registry.example/ci@stable", digest.as_str()] {
        assert_eq!(channel(other), None, "{other}");
    }
}
