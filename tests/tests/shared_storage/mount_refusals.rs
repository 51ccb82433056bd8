//! Tasks that EFS does not let mount: in ECS's words, and as the driver tells it.

use aws_sdk_ecs::types::{ContainerDefinition, Task};
use fargate_tests::{CheckedHost, SYSTEM_FAILURE, efs_client};
use serde_json::{Value, json};

use crate::{FILE_SYSTEM, ROLE, SUBNETS, SharedMount, TaskRunner, register, run_shell, run_task};

const RUNNER: TaskRunner = TaskRunner::Processes;

/// Why a task with this mount did not start.
async fn refusal(site: &CheckedHost, mount: &SharedMount, subnet: &str) -> String {
    register(site, "refused", RUNNER.shell("echo ran"), mount).await;
    let (task, said): (Task, String) = run_task(site, "refused", subnet).await;
    assert_eq!(said, "", "no container ran");
    let code = task.stop_code().map_or("no stop code", |code| code.as_str());
    format!("{code}: {}", task.stopped_reason().unwrap_or_default())
}

async fn remove_mount_target(site: &CheckedHost, subnet: &str) {
    let efs = efs_client(site.cloud());
    let all = efs.describe_mount_targets().file_system_id(FILE_SYSTEM).send().await.expect("shown");
    let found = all.mount_targets().iter().find(|one| one.subnet_id() == subnet).expect("one");
    let gone = efs.delete_mount_target().mount_target_id(found.mount_target_id()).send().await;
    gone.expect("it is deleted");
}

/// A policy by which the role may mount over TLS through a mount target, and may do `more`.
async fn put_policy(site: &CheckedHost, more: Value) {
    let mut actions = vec![json!("elasticfilesystem:ClientMount")];
    actions.extend(more.as_array().cloned().unwrap_or_default());
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Sid": "ci", "Effect": "Allow", "Principal": {"AWS": ROLE}, "Action": actions,
        "Condition": {"Bool": {
            "aws:SecureTransport": "true", "elasticfilesystem:AccessedViaMountTarget": "true",
        }},
    }]});
    let efs = efs_client(site.cloud());
    let put = efs.put_file_system_policy().file_system_id(FILE_SYSTEM).policy(policy.to_string());
    put.send().await.expect("a policy that the cloud takes");
}

#[tokio::test]
async fn a_zone_without_a_mount_target_is_told_as_ecs_tells_it() {
    let site = RUNNER.host().await;
    remove_mount_target(&site, SUBNETS[1]).await;
    let mount = SharedMount::default();
    insta::assert_snapshot!(refusal(&site, &mount, SUBNETS[1]).await, @r#"TaskFailedToStart: ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: Failed to resolve "fs-0a1b2c3d4e5f60718.efs.eu-west-1.amazonaws.com" - check that your file system ID is correct, and ensure that the VPC has an EFS mount target for this file system ID. See https://docs.aws.amazon.com/console/efs/mount-dns-name for more detail. : unsuccessful EFS utils command execution; code: 1"#);
    assert_eq!(run_shell(RUNNER, &site, &mount, "echo ran").await, "ran\n", "in the other zone");
    site.close().await;
}

#[tokio::test]
async fn the_driver_names_each_cause_and_starts_no_second_task() {
    let site = RUNNER.host().await;
    let agent = || ContainerDefinition::builder().name("job").image("image");
    let gone = SharedMount::of_access_point("fsap-0a1b2c3d4e5f60718");
    let missing = SharedMount { directory: Some("/none".to_owned()), ..SharedMount::default() };
    let told = async |mount: &SharedMount, headline: &str| {
        register(&site, "shared-job", agent(), mount).await;
        site.set("defaults.task_definition", "shared-job");
        let job = site.job();
        let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
        assert_eq!(ended.error_line(), format!("error: {headline}"));
        assert_eq!(site.tasks_of(&job).len(), 1, "{headline}");
    };
    told(&gone, "the EFS file system refused the mount").await;
    told(&missing, "the folder does not exist on the EFS file system").await;
    for subnet in SUBNETS {
        remove_mount_target(&site, subnet).await;
    }
    let headline = format!("EFS {FILE_SYSTEM} has no address in this zone");
    told(&SharedMount::default(), &headline).await;
    site.close().await;
}

#[tokio::test]
async fn a_folder_that_is_missing_is_told_by_its_path() {
    let site = RUNNER.host().await;
    let mount = SharedMount { directory: Some("/none".to_owned()), ..SharedMount::default() };
    insta::assert_snapshot!(refusal(&site, &mount, SUBNETS[0]).await, @"TaskFailedToStart: ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: b'mount.nfs4: mounting 127.0.0.1:/none failed, reason given by server: No such file or directory' : unsuccessful EFS utils command execution; code: 32");
    site.close().await;
}

#[tokio::test]
async fn an_access_point_that_is_gone_or_whose_folder_nobody_makes_is_denied() {
    let site = RUNNER.host().await;
    let efs = efs_client(site.cloud());
    let root = aws_sdk_efs::types::RootDirectory::builder().path("/none").build();
    let made = efs.create_access_point().file_system_id(FILE_SYSTEM).root_directory(root).send();
    let made = made.await.expect("an access point");
    let id = made.access_point_id().expect("an id");
    let mount = SharedMount::of_access_point(id);
    let said = refusal(&site, &mount, SUBNETS[0]).await;
    insta::assert_snapshot!(said, @"TaskFailedToStart: ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: b'mount.nfs4: access denied by server while mounting 127.0.0.1:/' : unsuccessful EFS utils command execution; code: 32");
    efs.delete_access_point().access_point_id(id).send().await.expect("deleted");
    let folder = site.cloud().add_file_system(FILE_SYSTEM);
    std::fs::create_dir_all(folder.join("none")).expect("now it is there");
    assert_eq!(refusal(&site, &mount, SUBNETS[0]).await, said);
    site.close().await;
}

#[tokio::test]
async fn a_policy_lets_its_role_mount_and_write_only_as_far_as_it_says() {
    let site = RUNNER.host().await;
    let with_role = SharedMount { shows_role: true, ..SharedMount::default() };
    put_policy(&site, json!([])).await;
    let said = run_shell(RUNNER, &site, &with_role, "touch /shared/x 2>&1; echo ran").await;
    assert!(said.contains("Read-only file system") && said.ends_with("ran\n"), "{said}");
    put_policy(&site, json!(["elasticfilesystem:ClientWrite"])).await;
    assert_eq!(run_shell(RUNNER, &site, &with_role, "touch /shared/x && echo ran").await, "ran\n");
    let denied = refusal(&site, &SharedMount::default(), SUBNETS[0]).await;
    assert!(denied.contains("access denied by server while mounting 127.0.0.1:/"), "{denied}");
    site.cloud().deny_role("ci-task", "elasticfilesystem:ClientMount");
    assert_eq!(refusal(&site, &with_role, SUBNETS[0]).await, denied);
    site.close().await;
}
