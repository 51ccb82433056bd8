//! What cannot become a task definition: one clear error, no call, nothing left running.

use fargate_tests::{CheckedHost, SYSTEM_FAILURE, redacted};
use insta::assert_snapshot;

use crate::{host_with_image, own_job};

/// The error block of a `prepare` with this template.
async fn refused(site: &CheckedHost, template: &str) -> String {
    let file = site.folder().join("template.json");
    std::fs::write(&file, template).unwrap();
    site.set("profile.own.task_definition_template", file.to_string_lossy().into_owned());
    let ended = own_job(site).prepare().await.with_code(SYSTEM_FAILURE);
    let text =
        redacted(&ended.out()).replace(&site.folder().to_string_lossy().into_owned(), "FOLDER");
    let from = text.find("error: ").unwrap_or_else(|| panic!("no error in {text}"));
    text[from..].to_owned()
}

#[tokio::test]
async fn a_template_that_cannot_be_used_is_told_in_the_jobs_log() {
    let site = host_with_image().await;
    assert_snapshot!(refused(&site, "{ family: ci }").await, @r#"
    error: profile and template make no task definition that ECS would take
      the template FOLDER/template.json is not JSON as ECS writes a task definition: key must be a string at line 1 column 3.
      Fix: correct the keys of the profile, or the file that `task_definition_template` names
        fargate-runner --profile own task-definition render
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: definition-unusable
    "#);
    assert_snapshot!(refused(&site, r#"{ "family": "${famly}" }"#).await, @r#"
    error: profile and template make no task definition that ECS would take
      the template FOLDER/template.json has the unknown placeholder `famly` in `family`, nearest is `family`; allowed: agent, architecture, container, cpu, ephemeral_storage_gib, execution_role, family, image, init_process, linux_parameters, log_group, memory, mount_points, nfs, port, region, registry_secret, secrets, stock_sshd, task_role, tmpfs, user, volumes.
      Fix: correct the keys of the profile, or the file that `task_definition_template` names
        fargate-runner --profile own task-definition render
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: definition-unusable
    "#);
    let impossible = r#"{
        "family": "${family}", "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc",
        "cpu": "1024", "memory": "512", "ephemeralStorage": { "sizeInGiB": 20 },
        "taskRoleArn": "role/ci",
        "containerDefinitions": [{ "name": "${container}", "image": "${image}" }]
    }"#;
    assert_snapshot!(refused(&site, impossible).await, @r#"
    error: profile and template make no task definition that ECS would take
      memory 512 does not fit cpu 1024; allowed: 2048, 3072, 4096, 5120, 6144, 7168, 8192; nearest is `cpu = 1024` with `memory = 2048`.
      `ephemeralStorage.sizeInGiB` is 20; allowed are 21 to 200; leave it out for the 20 GiB that every task has.
      `taskRoleArn` is "role/ci"; allowed are a role's name and its ARN; such as `task_role = "arn:aws:iam::123456789012:role/ci"`.
      Fix: correct the keys of the profile, or the file that `task_definition_template` names
        fargate-runner --profile own task-definition render
      Who can fix it: whoever runs the CI platform. Your script did not start.
      Cause: definition-unusable
    "#);
    assert_eq!(site.cloud().requests().len(), 0);
    site.close().await;
}

#[tokio::test]
async fn config_check_tells_an_image_that_no_registry_can_have() {
    let site = host_with_image().await;
    let file = site.config().to_string_lossy().into_owned();
    let mut told = std::collections::BTreeSet::new();
    for pins in [true, false] {
        site.set("profile.own.pin_image", pins);
        site.set("profile.own.image", "team/My-Image:1");
        let ended = site.start(&["config", "check"]).ended().await.with_code(1);
        told.insert(ended.err().replace(&file, "FILE"));
    }
    let told: Vec<String> = told.into_iter().collect();
    assert_snapshot!(told.concat().trim_end(), @r#"
    error: FILE: [profile.own]: `team/My-Image:1` names no image: the repository `team/My-Image` has the letter `M`; it may have lower case only
    hint: did you mean `team/my-image:1`?
    "#);
    site.set("profile.own.image", "team/my-image:1");
    site.start(&["config", "check"]).ended().await.with_code(0);
    site.close().await;
}
