//! A configuration that binds or mounts what cannot be: one clear sentence each, before any job.

use fargate_tests::CheckedHost;

#[tokio::test]
async fn each_mistake_is_one_sentence_of_config_check() {
    let mut said = Vec::new();
    for (key, value) in [
        ("profile.own.projects", toml::Value::from(vec!["just-a-group"])),
        ("profile.own.volumes", toml::Value::from(vec!["nowhere"])),
        ("profile.own.job_max_cpu", toml::Value::from(3000)),
        ("profile.own.job_max_ephemeral_storage_gib", toml::Value::from(500)),
    ] {
        let site = CheckedHost::open().await;
        site.set("profile.own.image", "team/ci:1");
        site.set(key, value);
        let checked = site.start(&["config", "check"]).ended().await.with_code(1);
        let all = checked.all();
        let line = all.lines().find(|line| line.contains(key)).expect("a line about the key");
        said.push(line.split_once("key ").map_or(line, |(_, rest)| rest).to_owned());
        site.close().await;
    }
    insta::assert_snapshot!(said.join("\n"), @r#"
    `profile.own.projects` has "just-a-group" as item 1, which no project matches; the path of a project is expected, in which `*` stands for one part and `**` at the end for all that follow
    `profile.own.volumes` has "nowhere", a volume that is not in the file
    `profile.own.job_max_cpu` is 3000, one of the numbers 256, 512, 1024, 2048, 4096, 8192, 16384, 32768 is expected
    `profile.own.job_max_ephemeral_storage_gib` is 500, a number from 21 to 200 is expected
    "#);
}
