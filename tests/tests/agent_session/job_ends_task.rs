//! S4: a job that ends its task between two of its scripts, or whose task has no memory left there,
//! fails by its own fault. The message and the verdict agree, and no job can choose a system
//! failure.

use fargate_tests::{BUILD_FAILURE, CheckedHost, SYSTEM_FAILURE, TestJob, scenes, until};

/// Runs `command` in the background of a script that passes; returns once the task has stopped.
async fn end_after_a_script(site: &CheckedHost, job: &TestJob, command: &str) {
    let script =
        format!("(setsid sh -c 'sleep 0.5; {command}' >/dev/null 2>&1 </dev/null &); exit 0");
    job.run(script).await.passed();
    let ended = format!("the task ended by {command}");
    until(&ended, || site.task_of(job).last_status == "STOPPED").await;
}

#[tokio::test]
async fn what_a_script_has_left_behind_to_end_the_task_fails_the_job_with_the_next_one() {
    for (command, exit, status) in [
        ("kill -9 2", 137, "137\n"),
        ("kill -TERM 2", 72, "143\n"),
        ("kill -TERM 1", 72, "143\n"),
        ("kill -INT 1", 72, "143\n"),
        ("kill -HUP 1", 72, "143\n"),
        ("kill -9 -1", 137, "137\n"),
    ] {
        let site = CheckedHost::open().await;
        let job = site.prepared().await;
        end_after_a_script(&site, &job, command).await;
        assert_eq!(site.task_of(&job).containers[0].exit_code, Some(exit), "{command}");
        let ended = job.run("echo never").await.with_code(BUILD_FAILURE);
        let line = ended.error_line();
        let expected = "fargate-runner: error: the job ended its own environment";
        assert!(line.starts_with(expected), "{command}: {line}");
        assert_eq!((ended.out().as_str(), job.exit_code().as_deref()), ("", Some(status)));
        site.close().await;
    }
}

#[tokio::test]
async fn a_script_that_meets_an_agent_on_its_way_out_fails_the_job_as_well() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    // The first script's driver leaves at once; its script keeps the agent for its grace.
    let script = "trap '' TERM; echo up; kill -TERM 1; sleep 1000";
    let mut running = job.start_run(script);
    running.wrote("up").await;
    let ended = job.beside_itself().run("echo never").await.with_code(BUILD_FAILURE);
    let line = ended.error_line();
    let expected = "fargate-runner: error: the job ended its own environment";
    assert!(line.starts_with(expected), "{line}");
    job.heard(running).await;
    site.close().await;
}

#[tokio::test]
async fn memory_that_runs_out_between_two_scripts_fails_the_job() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    job.run("true").await.passed();
    let (code, reason) = scenes::OUT_OF_MEMORY;
    assert!(site.cloud().stop_task_from_outside(&site.task_of(&job).arn, code, reason));
    let ended = job.run("echo never").await.with_code(BUILD_FAILURE);
    let line = ended.error_line();
    assert!(line.starts_with("fargate-runner: error: out of memory"), "{line}");
    assert_eq!(job.exit_code().as_deref(), Some("137\n"));
    site.close().await;
}

#[tokio::test]
async fn spot_and_a_person_between_two_scripts_fail_the_system() {
    for ((code, reason), cause) in scenes::TAKEN_AWAY {
        let site = CheckedHost::open().await;
        let job = site.prepared().await;
        job.run("true").await.passed();
        assert!(site.cloud().stop_task_from_outside(&site.task_of(&job).arn, code, reason));
        let line = job.run("echo never").await.with_code(SYSTEM_FAILURE).error_line();
        assert!(line.starts_with(&format!("fargate-runner: error: {cause}")), "{line}");
        site.close().await;
    }
}

#[tokio::test]
async fn a_task_that_ends_before_the_first_script_is_nobody_s_failure() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let arn = site.task_of(&job).arn;
    assert!(site.cloud().stop_task_from_outside(&arn, "EssentialContainerExited", "gone"));
    let line = job.run("echo never").await.with_code(SYSTEM_FAILURE).error_line();
    let expected = "fargate-runner: error: the connection to the task was lost";
    assert!(line.starts_with(expected), "{line}");
    // A script that was not started leaves no mark.
    let again = job.run("echo never").await.with_code(SYSTEM_FAILURE).error_line();
    assert!(again.starts_with(expected), "{again}");
    site.close().await;
}
