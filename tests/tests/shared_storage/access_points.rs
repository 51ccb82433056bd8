//! An access point: its user, its folder, and nothing else of the file system.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use fargate_tests::{have, make_access_point, skip};

use crate::{FILE_SYSTEM, SUBNETS, SharedMount, TaskRunner, register, run_shell, run_task};

/// A user and a group that nobody else in these tests is.
const OWNER: (u32, u32) = (23_017, 23_018);

/// Whether the cloud can act as the user of an access point here.
pub fn can_be_another_user() -> bool {
    if !nix::unistd::geteuid().is_root() {
        skip("only root can act as the user of an access point");
        return false;
    }
    have("bindfs")
}

async fn files_belong_to_the_user(runner: TaskRunner) {
    let site = runner.host().await;
    let point = make_access_point(site.cloud(), FILE_SYSTEM, "/ci/one", OWNER).await;
    let mount = SharedMount::of_access_point(&point);
    let script = "mkdir /shared/d && echo x >/shared/d/f && ln -s f /shared/d/l && \
                  stat -c '%u:%g' /shared /shared/d /shared/d/f && \
                  chown 5 /shared/d/f 2>/dev/null || echo stays";
    let said = run_shell(runner, &site, &mount, script).await;
    let owner = format!("{}:{}\n", OWNER.0, OWNER.1);
    assert_eq!(said, format!("{}stays\n", owner.repeat(3)));
    let root = site.cloud().add_file_system(FILE_SYSTEM).join("ci/one");
    for path in ["", "d", "d/f", "d/l"] {
        let found = root.join(path).symlink_metadata().expect("a file of this machine");
        assert_eq!((found.uid(), found.gid()), OWNER, "{path}");
    }
    let mode = root.metadata().expect("a folder").permissions().mode();
    assert_eq!(mode & 0o7777, 0o750, "as CreationInfo says");
    site.close().await;
}

async fn nothing_outside_is_reached(runner: TaskRunner) {
    let site = runner.host().await;
    let folder = site.cloud().add_file_system(FILE_SYSTEM);
    let own = make_access_point(site.cloud(), FILE_SYSTEM, "/one", OWNER).await;
    let other = make_access_point(site.cloud(), FILE_SYSTEM, "/two", OWNER).await;
    let other = SharedMount::of_access_point(&other);
    run_shell(runner, &site, &other, "echo secret >/shared/secret").await;
    let script = "ln -s ../two/secret /shared/link; cat /shared/link 2>/dev/null || echo nothing; \
                  cat /shared/../two/secret 2>/dev/null || echo nothing; ls /shared";
    let said = run_shell(runner, &site, &SharedMount::of_access_point(&own), script).await;
    assert_eq!(said, "nothing\nnothing\nlink\n");
    assert!(folder.join("two/secret").is_file(), "it was there");
    site.close().await;
}

#[tokio::test]
async fn what_a_task_writes_belongs_to_the_access_points_user_on_processes() {
    if can_be_another_user() {
        files_belong_to_the_user(TaskRunner::Processes).await;
    }
}

#[tokio::test]
async fn what_a_task_writes_belongs_to_the_access_points_user_on_an_engine() {
    let Some(runner) = TaskRunner::engine().filter(|_| can_be_another_user()) else { return };
    files_belong_to_the_user(runner).await;
}

#[tokio::test]
async fn a_container_of_another_user_writes_as_the_access_points_user() {
    let Some(runner) = TaskRunner::engine().filter(|_| can_be_another_user()) else { return };
    let site = runner.host().await;
    let point = make_access_point(site.cloud(), FILE_SYSTEM, "/ci", OWNER).await;
    let script = "id -u && echo x >/shared/f && cat /shared/f";
    let container = runner.shell(script).user("4321:4321");
    register(&site, "other", container, &SharedMount::of_access_point(&point)).await;
    let (_, said) = run_task(&site, "other", SUBNETS[0]).await;
    assert_eq!(said, "4321\nx\n");
    let file = site.cloud().add_file_system(FILE_SYSTEM).join("ci/f");
    let found = file.metadata().expect("a file of this machine");
    assert_eq!((found.uid(), found.gid()), OWNER);
    site.close().await;
}

#[tokio::test]
async fn a_task_sees_nothing_outside_of_its_access_point_on_processes() {
    if can_be_another_user() {
        nothing_outside_is_reached(TaskRunner::Processes).await;
    }
}

#[tokio::test]
async fn a_task_sees_nothing_outside_of_its_access_point_on_an_engine() {
    let Some(runner) = TaskRunner::engine().filter(|_| can_be_another_user()) else { return };
    nothing_outside_is_reached(runner).await;
}

#[tokio::test]
async fn a_link_in_the_place_of_an_access_points_folder_is_not_followed() {
    let runner = TaskRunner::Processes;
    let site = runner.host().await;
    let point = make_access_point(site.cloud(), FILE_SYSTEM, "/ci/one", OWNER).await;
    run_shell(runner, &site, &SharedMount::default(), "ln -s /etc /shared/ci").await;
    register(&site, "linked", runner.shell("ls /shared"), &SharedMount::of_access_point(&point))
        .await;
    let (task, said) = run_task(&site, "linked", SUBNETS[0]).await;
    let reason = task.stopped_reason().unwrap_or_default();
    assert!(reason.contains("access denied by server") && said.is_empty(), "{reason} {said}");
    site.close().await;
}
