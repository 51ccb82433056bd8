//! The invariants themselves: that they fail when they should.

use std::fs;

use fargate_tests::Site;

#[tokio::test]
#[should_panic(expected = "the job's token is in ")]
async fn a_secret_that_stays_in_a_file_is_found() {
    let site = Site::open().await;
    let job = site.prepared().await;
    fs::write(site.folder().join("left"), format!("token={}\n", job.token)).expect("a file");
    site.close().await;
}

#[tokio::test]
#[should_panic(expected = "a client key is in ")]
async fn a_client_key_that_stays_in_a_file_is_found() {
    let site = Site::open().await;
    let job = site.prepared().await;
    fs::copy(job.state_file(), site.folder().join("left")).expect("a file");
    site.close().await;
}

#[tokio::test]
#[should_panic(expected = "two live tasks of one job: ")]
async fn two_live_tasks_of_one_job_are_found() {
    let site = Site::open().await;
    let job = site.prepared().await;
    // Without its state, and without the clean-up that gitlab-runner makes between two tries.
    fs::remove_dir_all(site.state_dir()).expect("a state folder");
    job.prepare().await.passed();
    let former = site.tasks_of(&job)[0].arn.clone();
    site.cloud().stop_task_from_outside(&former, "UserInitiated", "by hand");
    site.close().await;
}
