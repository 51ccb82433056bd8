//! A `prepare` that is told to end, or gets SIGKILL, at every step of the start of a task.

use std::time::{Duration, Instant};

use fargate_local_cloud::{CloudFault, CloudTaskPhase};
use fargate_tests::{CheckedHost, PATIENCE, SYSTEM_FAILURE, until};
use nix::sys::signal::Signal;

/// Starts `prepare` with a task that stays in `phase`, and ends it there with SIGTERM.
async fn cancelled_in(phase: CloudTaskPhase, status: &str) {
    let site = CheckedHost::open().await;
    site.cloud().fail("RunTask", CloudFault::TaskHeld { phase });
    let job = site.job();
    let mut running = job.start(&["prepare"]);
    running.wrote("accepted").await;
    until(status, || site.task_of(&job).last_status == status).await;
    let told = Instant::now();
    running.signal(Signal::SIGTERM);
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    assert!(told.elapsed() < PATIENCE, "{:?}", told.elapsed());
    let task = site.task_of(&job);
    let id = task.arn.rsplit('/').next().expect("an id")[..8].to_owned();
    let last = format!("Cancelled: task {id} is being stopped\n");
    assert!(ended.out().ends_with(&last), "{:?}", ended.out());
    assert_eq!(ended.err(), "");
    assert_eq!(task.desired_status, "STOPPED", "stopped before prepare returned");
    // The task must end, with the clean-up of gitlab-runner and without it.
    until("the task stopped", || site.cloud().live_tasks() == 0).await;
    job.cleanup().await.passed();
    site.close().await;
}

#[tokio::test]
async fn sigterm_while_provisioning_stops_the_task() {
    cancelled_in(CloudTaskPhase::Provisioning, "PROVISIONING").await;
}

#[tokio::test]
async fn sigterm_while_pending_stops_the_task() {
    cancelled_in(CloudTaskPhase::Pending, "PENDING").await;
}

#[tokio::test]
async fn sigterm_while_the_agent_does_not_answer_stops_the_task() {
    cancelled_in(CloudTaskPhase::Running, "RUNNING").await;
}

#[tokio::test]
async fn sigterm_while_run_task_is_not_answered_stops_the_task_it_started() {
    let site = CheckedHost::open().await;
    site.cloud().fail("RunTask", CloudFault::Slow(Duration::from_secs(30)));
    let job = site.job();
    let running = job.start(&["prepare"]);
    until("a task", || site.tasks_of(&job).len() == 1).await;
    running.signal(Signal::SIGTERM);
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    assert!(ended.out().contains("Cancelled"), "{}", ended.out());
    until("the task stopped", || site.cloud().live_tasks() == 0).await;
    assert_eq!(site.tasks_of(&job).len(), 1);
    site.close().await;
}

#[tokio::test]
async fn sigterm_while_run_task_is_refused_starts_nothing() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.task_stop", "1s");
    let throttled = CloudFault::Exception {
        status: 400,
        code: "ThrottlingException".to_owned(),
        message: "Rate exceeded".to_owned(),
    };
    site.cloud().fail_until_cleared("RunTask", throttled);
    let job = site.job();
    let running = job.start(&["prepare"]);
    until("a second try", || site.calls("RunTask") >= 2).await;
    running.signal(Signal::SIGTERM);
    job.heard(running).await.with_code(SYSTEM_FAILURE);
    site.cloud().clear_faults();
    job.cleanup().await.passed();
    until("nothing lives", || site.cloud().live_tasks() == 0).await;
    site.close().await;
}

/// Kills `prepare` when RunTask has started a task and its answer has not arrived yet.
async fn killed_after_run_task(site: &CheckedHost) -> std::rc::Rc<fargate_tests::TestJob> {
    site.cloud().fail("RunTask", CloudFault::Slow(Duration::from_secs(30)));
    let job = site.job();
    let running = job.start(&["prepare"]);
    until("a task", || site.tasks_of(&job).len() == 1).await;
    running.signal(Signal::SIGKILL);
    job.heard(running).await.with_code(128 + 9);
    job
}

#[tokio::test]
async fn a_task_whose_prepare_was_killed_before_it_knew_of_it_is_cleaned_up() {
    let site = CheckedHost::open().await;
    let job = killed_after_run_task(&site).await;
    job.cleanup().await.passed();
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    site.close().await;
}

#[tokio::test]
async fn a_second_prepare_first_ends_the_task_of_one_that_was_killed() {
    let site = CheckedHost::open().await;
    let job = killed_after_run_task(&site).await;
    job.prepare().await.passed();
    let tasks = site.tasks_of(&job);
    let states: Vec<_> = tasks.iter().map(|task| task.desired_status.as_str()).collect();
    assert_eq!(states, ["STOPPED", "RUNNING"]);
    assert_eq!(job.run("echo in the second").await.with_code(0).out(), "in the second\n");
    site.close().await;
}

#[tokio::test]
async fn a_prepare_that_was_killed_before_run_task_took_effect_leaves_nothing() {
    let site = CheckedHost::open().await;
    site.cloud().fail("RunTask", CloudFault::Hang);
    let job = site.job();
    let running = job.start(&["prepare"]);
    until("RunTask came", || site.calls("RunTask") == 1).await;
    running.signal(Signal::SIGKILL);
    job.heard(running).await.with_code(128 + 9);
    site.cloud().clear_faults();
    job.cleanup().await.passed();
    until("nothing lives", || site.cloud().live_tasks() == 0).await;
    site.close().await;
}

#[tokio::test]
async fn a_prepare_that_was_killed_while_its_task_started_is_cleaned_up() {
    for phase in [CloudTaskPhase::Provisioning, CloudTaskPhase::Pending, CloudTaskPhase::Running] {
        let site = CheckedHost::open().await;
        site.cloud().fail("RunTask", CloudFault::TaskHeld { phase });
        let job = site.job();
        let mut running = job.start(&["prepare"]);
        running.wrote("accepted").await;
        running.signal(Signal::SIGKILL);
        job.heard(running).await.with_code(128 + 9);
        job.prepare().await.passed();
        assert_eq!(site.tasks_of(&job).len(), 2, "{phase:?}");
        job.cleanup().await.passed();
        site.close().await;
    }
}

#[tokio::test]
async fn a_prepare_that_is_repeated_after_it_passed_leaves_one_task() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    job.prepare().await.passed();
    let tasks = site.tasks_of(&job);
    let meant_to_run = tasks.iter().filter(|task| task.desired_status == "RUNNING").count();
    assert_eq!((tasks.len(), meant_to_run), (2, 1));
    assert_eq!(job.run("echo fresh").await.with_code(0).out(), "fresh\n");
    site.close().await;
}

#[tokio::test]
async fn a_former_task_that_cannot_be_stopped_is_told_as_that_and_the_next_try_begins_anew() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.task_stop", "500ms");
    let job = site.prepared().await;
    site.cloud().fail_until_cleared(
        "StopTask",
        CloudFault::Exception {
            status: 400,
            code: "AccessDeniedException".to_owned(),
            message: "User is not authorized to perform: ecs:StopTask".to_owned(),
        },
    );
    let ended = job.prepare().await.with_code(SYSTEM_FAILURE);
    assert_eq!(ended.error_line(), "error: a task of an earlier try could not be stopped");
    assert!(ended.out().contains("ecs:StopTask"), "{}", ended.out());
    assert_eq!(site.calls("RunTask"), 1);
    site.cloud().clear_faults();
    job.prepare().await.passed();
    assert_eq!(site.tasks_of(&job).len(), 2);
    site.close().await;
}

#[tokio::test]
async fn of_two_prepares_of_one_job_at_once_one_is_refused() {
    let site = CheckedHost::open().await;
    site.cloud().fail("RunTask", CloudFault::TaskHeld { phase: CloudTaskPhase::Pending });
    let job = site.job();
    let mut first = job.start(&["prepare"]);
    first.wrote("accepted").await;
    let line = job.prepare().await.with_code(SYSTEM_FAILURE).error_line();
    assert_eq!(line, "error: another process is preparing this job");
    assert_eq!(site.calls("RunTask"), 1);
    first.signal(Signal::SIGTERM);
    job.heard(first).await.with_code(SYSTEM_FAILURE);
    site.close().await;
}
