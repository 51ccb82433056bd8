//! The checks of the invariants themselves: they fail when they should.

use std::fs;

use fargate_playground::leftovers;
use fargate_tests::{CheckedHost, until};

#[tokio::test]
#[should_panic(expected = "the job's token is in ")]
async fn a_secret_that_stays_in_a_file_is_found() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    fs::write(site.folder().join("left"), format!("token={}\n", job.token)).expect("a file");
    site.close().await;
}

#[tokio::test]
#[should_panic(expected = "a client key is in ")]
async fn a_client_key_that_stays_in_a_file_is_found() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    fs::copy(job.state_file(), site.folder().join("left")).expect("a file");
    site.close().await;
}

#[tokio::test]
#[should_panic(expected = "I2 no double: two live tasks of job ")]
async fn two_live_tasks_of_one_job_are_found() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    // The state is gone, and gitlab-runner did not clean up between the two attempts.
    fs::remove_dir_all(site.state_dir()).expect("a state folder");
    job.prepare().await.passed();
    let former = site.tasks_of(&job)[0].arn.clone();
    site.cloud().stop_task_from_outside(&former, "UserInitiated", "by hand");
    site.close().await;
}

#[tokio::test]
async fn the_processes_of_a_task_are_found_by_the_task_and_not_by_the_job_alone() {
    let site = CheckedHost::open().await;
    site.prepared().await;
    let (nowhere, other) = (site.folder().join("nowhere"), CheckedHost::open().await);
    let found =
        |site: &CheckedHost| leftovers::of_all(&nowhere, &nowhere, &site.cloud().tasks()).processes;
    until("the sandbox and its agent are found", || found(&site).len() >= 2).await;
    let own = found(&site);
    // A job of another cloud that has the same key.
    other.prepared().await;
    assert_eq!(found(&site), own);
    assert!(found(&other).iter().all(|process| !own.contains(process)));
    other.close().await;
    site.close().await;
}
