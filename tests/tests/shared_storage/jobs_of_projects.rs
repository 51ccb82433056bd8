//! The folders that jobs get through the whole product: those of their project and protection level alone.

use std::fs;
use std::process::Stdio;

use fargate_tests::{CheckedHost, PolicyHolder, files_below};
use serde_json::Value;
use tokio::process::Command;

use crate::access_points::can_be_another_user;
use crate::{FILE_SYSTEM, TaskRunner};

/// A host whose profile has a volume with a folder for each project, and the folders of two projects.
async fn host_with_folders(runner: TaskRunner) -> CheckedHost {
    let site = runner.host().await;
    let image = match runner {
        TaskRunner::Processes => "team/ci:1".to_owned(),
        TaskRunner::Engine(engine) => {
            site.set("profile.own.execution_role", "ci-execution");
            engine.private_image(&site, "profile.own")
        }
    };
    site.set("profile.own.image", image);
    site.set("profile.own.pin_image", false);
    site.set("profile.own.task_role", "ci-task");
    // The checks at the end accept only names that stand in the configuration.
    site.set("profile.own.task_definition_family", "jobs-with-folders");
    site.set("profile.own.projects", toml::Value::from(vec!["shop/app", "shop/other"]));
    site.set("profile.own.volumes", toml::Value::from(vec!["data"]));
    site.set("volume.data.file_system", FILE_SYSTEM);
    site.set("volume.data.path", "/data");
    site.set("volume.data.separation", "project");
    let mut apply = Command::new(fargate_tests::runner());
    apply.arg("-c").arg(site.config()).args(["efs", "apply", "--yes"]).stdin(Stdio::null());
    apply.env_clear().envs(site.environment_of(PolicyHolder::Infrastructure, &site.config()));
    apply.env("AWS_ENDPOINT_URL", site.cloud().endpoint());
    let said = apply.kill_on_drop(true).output().await.expect("it was built");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    site
}

/// Runs a whole job of this project with one script. Returns what the script wrote.
async fn run_job(site: &CheckedHost, project: &str, is_protected: bool, script: &str) -> String {
    let endpoint = site.cloud().endpoint();
    let job = site.job_with(|job| {
        let text = fs::read(job.response()).expect("a response");
        let mut response: Value = serde_json::from_slice(&text).expect("JSON");
        response["job_info"]["project_full_path"] = project.into();
        response["git_info"]["protected"] = is_protected.into();
        fs::write(job.response(), response.to_string()).expect("a writable file");
        job.set("AWS_ENDPOINT_URL", &endpoint);
    });
    job.prepare().await.passed();
    let said = job.run(script).await.with_code(0).out();
    job.cleanup().await.passed();
    said
}

#[tokio::test]
async fn jobs_share_the_folder_of_their_project_and_level_and_see_no_other() {
    share_folders(TaskRunner::Processes).await;
}

#[tokio::test]
async fn jobs_in_containers_share_the_folder_of_their_project_and_level_as_well() {
    let Some(engine) = TaskRunner::engine() else { return };
    share_folders(engine).await;
}

async fn share_folders(runner: TaskRunner) {
    if !can_be_another_user() {
        return;
    }
    let site = host_with_folders(runner).await;
    let job =
        async |project, is_protected, script| run_job(&site, project, is_protected, script).await;
    assert_eq!(job("shop/app", false, "echo one >/data/file; ls /data").await, "file\n");
    assert_eq!(job("shop/app", false, "cat /data/file").await, "one\n");
    let look = "ls -A /data; cat /data/file 2>/dev/null || echo nothing";
    assert_eq!(job("shop/other", false, look).await, "nothing\n");
    assert_eq!(job("shop/app", true, look).await, "nothing\n", "a protected branch");
    assert_eq!(job("shop/app", true, "echo two >/data/file").await, "");
    assert_eq!(job("shop/app", false, "cat /data/file").await, "one\n", "an unprotected branch");
    let kept = files_below(&site.cloud().add_file_system(FILE_SYSTEM));
    let read = |path| fs::read_to_string(path).expect("a file of this machine");
    let mut kept: Vec<String> = kept.into_iter().map(read).collect();
    kept.sort();
    assert_eq!(kept, ["one\n", "two\n"], "the files outlive the tasks");
    site.close().await;
}
