//! A `run` that is told to end, or gets SIGKILL.

use fargate_tests::{CheckedHost, SYSTEM_FAILURE, mark, process, scenes};

#[tokio::test]
async fn a_cancelled_script_ends_and_the_stages_after_it_still_run() {
    let site = CheckedHost::open().await;
    scenes::a_cancelled_script_ends(&site).await;
    site.close().await;
}

#[tokio::test]
async fn a_script_that_ignores_term_is_gone_before_the_next_stage_begins() {
    let site = CheckedHost::open().await;
    let (stubborn, escaped) = (mark("stubborn"), mark("escaped"));
    let script = format!(
        "trap '' TERM; echo started; setsid bash -c 'exec -a {escaped} sleep 1000' & \
         exec -a {stubborn} bash -c \"trap '' TERM; while :; do sleep 0.02; done\""
    );
    let marks = [stubborn.as_str(), escaped.as_str()];
    scenes::what_ignores_term_is_gone_before_the_next_stage(&site, &script, &marks).await;
    site.close().await;
}

#[tokio::test]
async fn a_second_signal_returns_at_once() {
    let site = CheckedHost::open().await;
    scenes::a_second_signal_returns_at_once(&site).await;
    site.close().await;
}

#[tokio::test]
async fn a_run_that_is_killed_leaves_its_script_to_the_next_run_to_end() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let orphaned = mark("orphaned");
    scenes::killed_while_it_runs(&job, "echo start >>/builds/starts", &orphaned).await;
    let ended = job.run("cat /builds/starts").await.with_code(0);
    assert_eq!(ended.out(), "start\n", "it was started once");
    assert_eq!(process(&orphaned), None, "it is over");
    site.close().await;
}

#[tokio::test]
async fn a_script_whose_driver_was_killed_ends_when_its_client_is_gone_for_too_long() {
    let site = CheckedHost::open().await;
    scenes::a_script_without_its_client_ends(&site).await;
    site.close().await;
}

#[tokio::test]
async fn of_two_runs_at_once_the_later_one_wins_and_the_former_says_so() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let former = scenes::of_two_runs_the_later_one_wins(&job).await.with_code(SYSTEM_FAILURE);
    let line = former.error_line();
    assert!(line.starts_with("fargate-runner: error: "), "{line}");
    site.close().await;
}
