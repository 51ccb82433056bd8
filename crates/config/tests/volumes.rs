//! `[volume.NAME]`, `[images]` and what profiles mount: what fits, and what is said of what does not.

mod common;

use common::read;
use fargate_config::{VolumeAccess, VolumeSeparation};
use insta::assert_snapshot;

const LEAST: &str = r#"
config_version = 1
[defaults]
cluster = "ci"
subnets = ["subnet-1"]
security_groups = ["sg-1"]
image = "team/ci:1"
task_role = "ci-task"
"#;

fn refused(lines: &str) -> String {
    read(&format!("{LEAST}{lines}")).expect_err(lines).to_string()
}

#[test]
fn a_profile_has_the_volumes_that_it_names_in_its_own_order() {
    let file = r#"
        volumes = ["b", "a"]
        [volume.a]
        file_system = "fs-1"
        path = "/a"
        separation = "project"
        [volume.b]
        file_system = "fs-1"
        path = "/b"
        access_point = "fsap-1"
        [volume.c]
        file_system = "fs-2"
        path = "/c"
        access_point = "none"
        iam = false
        transit_encryption = false
    "#;
    let config = read(&format!("{LEAST}{file}")).unwrap().config;
    let storage = config.profile(None).unwrap().storage;
    let names: Vec<_> = storage.iter().map(|volume| volume.name.as_str()).collect();
    assert_eq!(names, ["b", "a"]);
    assert_eq!(storage[0].access(), VolumeAccess::Fixed("fsap-1"));
    assert_eq!(storage[1].access(), VolumeAccess::Made(VolumeSeparation::Project));
    assert_eq!(config.volumes().last().unwrap().access(), VolumeAccess::Root);
}

#[test]
fn what_cannot_be_mounted_is_told_in_one_sentence() {
    assert_snapshot!(refused("volumes = [\"cahce\"]\n[volume.cache]\nfile_system = \"fs-1\"\npath = \"/c\"\n"), @r#"config.toml:9: key `defaults.volumes` has "cahce", nearest is `[volume.cache]`"#);
    assert_snapshot!(refused("volumes = [\"data\"]\n"), @r#"
    config.toml:9: key `defaults.volumes` has "data", a volume that is not in the file
    hint: add `[volume.data]`
    "#);
    assert_snapshot!(refused("[volume.a]\nfile_system = \"fs-1\"\npath = \"cache\"\n"), @r#"config.toml:11: key `volume.a.path` is "cache", an absolute path is expected"#);
    assert_snapshot!(refused("[volume.a]\n"), @r#"
    config.toml:9: key `volume.a` lacks `file_system`
      config.toml:9: key `volume.a` lacks `path`
    hint: `file_system = "fs-0a1b2c3d"`
    "#);
    assert_snapshot!(refused("[volume.\"a b\"]\n"), @r#"config.toml:9: key `volume."a b"` has a name that no volume may have: allowed are 1 to 32 ASCII letters, digits, `-` and `_`"#);
    let two = "volumes = [\"a\", \"b\"]\n[volume.a]\nfile_system = \"fs-1\"\npath = \"/c\"\n[volume.b]\nfile_system = \"fs-1\"\npath = \"/c/\"\n";
    assert_snapshot!(refused(two), @r#"config.toml:9: key `defaults.volumes` mounts volume `b` on "/c", where volume `a` is; each needs a path of its own"#);
    let memory = "volumes = [\"a\"]\ntmpfs = [{ path = \"/c\", size_mib = 1 }]\n[volume.a]\nfile_system = \"fs-1\"\npath = \"/c\"\n";
    assert_snapshot!(refused(memory), @r#"config.toml:10: key `defaults.tmpfs` mounts a folder in memory on "/c", where volume `a` is; each needs a path of its own"#);
    let both = "[volume.a]\nfile_system = \"fs-1\"\npath = \"/c\"\nseparation = \"project\"\naccess_point = \"fsap-1\"\n";
    assert_snapshot!(refused(both), @r#"
    config.toml:13: key `volume.a.access_point` stands beside `separation = "project"`, which gives each project its own
    hint: leave out `access_point`
    "#);
    let plain = "[volume.a]\nfile_system = \"fs-1\"\npath = \"/c\"\ntransit_encryption = false\n";
    assert_snapshot!(refused(plain), @r#"
    config.toml:12: key `volume.a.transit_encryption` is `false`, which ECS allows only with `iam = false` and `access_point = "none"`
    hint: leave out `transit_encryption`
    "#);
}

#[test]
fn what_a_volume_or_a_secret_needs_from_its_profile_is_told() {
    let file =
        format!("{LEAST}volumes = [\"a\"]\n[volume.a]\nfile_system = \"fs-1\"\npath = \"/c\"\n")
            .replace("task_role = \"ci-task\"\n", "");
    assert_snapshot!(read(&file).expect_err("no role"), @r#"
    config.toml:8: key `defaults.volumes` has "a", which needs `task_role`, the role that may mount it
    hint: `task_role = "arn:aws:iam::123456789012:role/ci-task"`, or `iam = false` there
    "#);
    assert_snapshot!(refused("host_key = \"first_use\"\nsecrets = [{ name = \"KEY\", from = \"/ci/key\", as_file = true }]\n"), @r#"
    config.toml:10: key `defaults.secrets` has `KEY` with `as_file`, which needs fargate-agent in the image; `host_key` is "first_use" (line 9)
    hint: leave out `as_file`
    "#);
    assert_snapshot!(refused("secrets = [{ name = \"FARGATE_RUNNER_X\", from = \"/ci/key\" }]\n"), @r#"config.toml:9: key `defaults.secrets.name` is "FARGATE_RUNNER_X", allowed is every name but those that a task needs itself"#);
    assert_snapshot!(refused("secrets = [{ name = \"KEY\", from = \"arn:aws:s3:::bucket\" }]\n"), @r#"
    config.toml:9: key `defaults.secrets.from` is "arn:aws:s3:::bucket", allowed are the ARN of a secret, with `:json-key:version-stage:version-id` or nothing after it, and the name or ARN of a parameter
    hint: such as `arn:aws:secretsmanager:eu-west-1:123456789012:secret:ci/npm-a1B2c3`
    "#);
}

#[test]
fn the_longest_pattern_that_fits_an_image_leads_to_its_profile() {
    let file =
        "[images]\n\"node:*\" = \"node\"\n\"*\" = \"other\"\n[profile.node]\n[profile.other]\n";
    let config = read(&format!("{LEAST}{file}")).unwrap().config;
    assert_eq!(config.profiles_of_image("node:20")[..1], ["node"]);
    assert_eq!(config.profiles_of_image("ruby:3"), ["other"]);
    assert_snapshot!(refused("[images]\n\"node:*\" = \"nod\"\n[profile.node]\n"), @r#"
    config.toml:10: key `images."node:*"` is "nod", a profile that is not in the file
    hint: nearest is `"node:*" = "node"`
    "#);
    assert_snapshot!(refused("[images]\n\"node 20\" = \"node\"\n[profile.node]\n"), @r#"config.toml:10: key `images."node 20"` has a name that is not allowed: allowed are 1 to 255 ASCII letters, digits and `- _ . : / @`, and `*` for any characters"#);
}
