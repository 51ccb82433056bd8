//! Files that tasks share, and that outlive them.

use crate::{SharedMount, TaskRunner, run_shell};

async fn two_tasks_share_a_file(runner: TaskRunner) {
    let site = runner.host().await;
    let mount = SharedMount::default();
    let written = run_shell(runner, &site, &mount, "echo one >/shared/file && echo done").await;
    assert_eq!(written, "done\n");
    let script = "cat /shared/file && echo two >>/shared/file";
    assert_eq!(run_shell(runner, &site, &mount, script).await, "one\n");
    let folder = site.cloud().add_file_system(crate::FILE_SYSTEM);
    let kept = std::fs::read_to_string(folder.join("file")).expect("a file of this machine");
    assert_eq!(kept, "one\ntwo\n", "the tasks are gone");
    site.close().await;
}

async fn a_read_only_mount_takes_no_write(runner: TaskRunner) {
    let site = runner.host().await;
    let folder = site.cloud().add_file_system(crate::FILE_SYSTEM);
    std::fs::create_dir_all(&folder).expect("the file system's folder");
    std::fs::write(folder.join("file"), "kept\n").expect("a file");
    let mount = SharedMount { read_only: true, ..SharedMount::default() };
    let script = "cat /shared/file; touch /shared/new 2>&1; rm /shared/file 2>&1; ls /shared";
    let said = run_shell(runner, &site, &mount, script).await;
    assert_eq!(said.matches("Read-only file system").count(), 2, "{said}");
    assert!(said.starts_with("kept\n") && said.ends_with("file\n"), "{said}");
    site.close().await;
}

#[tokio::test]
async fn two_tasks_share_a_file_that_outlives_them_on_processes() {
    two_tasks_share_a_file(TaskRunner::Processes).await;
}

#[tokio::test]
async fn two_tasks_share_a_file_that_outlives_them_on_an_engine() {
    let Some(runner) = TaskRunner::engine() else { return };
    two_tasks_share_a_file(runner).await;
}

#[tokio::test]
async fn a_read_only_mount_refuses_writes_on_processes() {
    a_read_only_mount_takes_no_write(TaskRunner::Processes).await;
}

#[tokio::test]
async fn a_read_only_mount_refuses_writes_on_an_engine() {
    let Some(runner) = TaskRunner::engine() else { return };
    a_read_only_mount_takes_no_write(runner).await;
}
