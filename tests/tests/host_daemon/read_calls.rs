//! How often ECS is asked while many jobs wait for their tasks.

use std::time::Duration;

use fargate_local_cloud::{CloudFault, CloudTaskPhase};
use fargate_tests::until;
use nix::sys::signal::Signal;

use crate::{RunningDaemon, own_looks, passed, used_site};

/// As many as a test can carry; a call covers a hundred of them.
const JOBS: usize = 40;
const WINDOW: Duration = Duration::from_secs(6);

fn reads(site: &fargate_tests::CheckedHost) -> usize {
    site.calls("DescribeTasks") + site.calls("ListTasks")
}

#[tokio::test]
async fn ecs_is_asked_at_most_once_a_second_however_many_jobs_wait() {
    let _alone = crate::CROWD.lock().await;
    let site = used_site().await;
    site.cloud()
        .fail_until_cleared("RunTask", CloudFault::TaskHeld { phase: CloudTaskPhase::Pending });
    let daemon = RunningDaemon::of(&site).await;
    let jobs: Vec<_> = (0..JOBS).map(|_| site.job()).collect();
    let before = site.cloud().tasks().len();
    let preparing: Vec<_> = jobs.iter().map(|job| job.start(&["prepare"])).collect();
    until("all tasks", || site.cloud().tasks().len() == before + JOBS).await;
    // The last drivers have begun to wait, and what may be asked at once has been asked.
    passed(Duration::from_secs(4)).await;
    let (begun, looked) = (reads(&site), own_looks(&site));
    passed(WINDOW).await;
    let asked = reads(&site) - begun;
    assert_eq!(own_looks(&site), looked, "a driver asked ECS itself");
    assert!((1..=6).contains(&asked), "{asked} calls in {WINDOW:?}");
    for (job, running) in jobs.iter().zip(preparing) {
        running.signal(Signal::SIGTERM);
        job.heard(running).await;
    }
    for job in &jobs {
        job.cleanup().await.passed();
    }
    daemon.close().await;
    site.close().await;
}

#[tokio::test]
async fn a_job_beside_the_daemon_starts_as_ever_and_its_driver_hardly_asks() {
    let site = used_site().await;
    let daemon = RunningDaemon::of(&site).await;
    let looked = own_looks(&site);
    let job = site.prepared().await;
    job.run("exit 3").await.with_code(fargate_tests::BUILD_FAILURE);
    // One look after the agent has answered.
    assert!(own_looks(&site) - looked <= 2, "{}", own_looks(&site) - looked);
    job.cleanup().await.passed();
    daemon.close().await;
    assert!(!crate::socket(&site).exists());
    site.close().await;
}
