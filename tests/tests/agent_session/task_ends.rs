//! Tasks that end from outside, by their own limits, or by their own job: whom the verdict blames.

use fargate_tests::{BUILD_FAILURE, CheckedHost, SYSTEM_FAILURE, scenes, until};

#[tokio::test]
async fn out_of_memory_is_the_job_s_failure_with_137() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let stop = scenes::OUT_OF_MEMORY;
    let line = scenes::stopped_while_running(&site, &job, BUILD_FAILURE, stop).await;
    insta::assert_snapshot!(line, @r#"fargate-runner: error: out of memory (limit 2 GB) (ECS: "Essential container in task exited"). Give the job a larger task (cause: out-of-memory)"#);
    assert_eq!(job.exit_code().as_deref(), Some("137\n"));
    site.close().await;
}

#[tokio::test]
async fn spot_a_person_and_a_lost_host_are_system_failures() {
    for (stop, cause) in scenes::TAKEN_AWAY {
        let site = CheckedHost::open().await;
        let job = site.prepared().await;
        scenes::taken_away(&site, &job, stop, cause).await;
        site.close().await;
    }
}

#[tokio::test]
async fn a_job_that_ends_pid_1_is_to_blame_for_it() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let ended = job.run("echo up; kill 1; sleep 30").await.with_code(BUILD_FAILURE);
    assert_eq!(ended.out(), "up\n");
    let line = ended.error_line();
    let expected = "fargate-runner: error: the job ended its own environment";
    assert!(line.starts_with(expected), "{line}");
    assert_eq!(job.exit_code().as_deref(), Some("143\n"));
    site.close().await;
}

#[tokio::test]
async fn a_job_that_stops_the_agent_s_server_does_not_stop_its_timers() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    // PID 1 starts the server, so it is the first child; PID 1 lets it go on at once.
    let script = "kill -STOP 2; kill -STOP 2; echo on; exit 8";
    let ended = job.run(script).await.with_code(BUILD_FAILURE);
    assert_eq!((ended.out().as_str(), ended.err().as_str()), ("on\n", ""));
    assert_eq!(job.exit_code().as_deref(), Some("8\n"));
    site.close().await;
}

#[tokio::test]
async fn a_signal_without_a_name_ends_no_task_unnoticed() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    // A real-time signal ends the server; PID 1 must notice and end the task with it.
    let ended = job.run("kill -40 2; sleep 30").await.with_code(BUILD_FAILURE);
    let expected = "fargate-runner: error: the job ended its own environment";
    assert!(ended.error_line().starts_with(expected), "{}", ended.err());
    assert_eq!(job.exit_code().as_deref(), Some("137\n"));
    site.close().await;
}

#[tokio::test]
async fn a_script_that_hears_of_the_end_may_still_say_why() {
    let site = CheckedHost::open().await;
    let job = site.prepared().await;
    let script = "trap 'echo saving; exit 9' TERM; echo up; sleep 1000 & wait";
    let mut running = job.start_run(script);
    running.wrote("up").await;
    let arn = site.task_of(&job).arn;
    site.cloud().stop_task_from_outside(
        &arn,
        "SpotInterruption",
        "Your Spot Task was interrupted.",
    );
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    // Its last words arrive, and its code is not taken for its own.
    assert_eq!(ended.out(), "up\nsaving\n");
    assert_eq!(job.exit_code(), None);
    site.close().await;
}

#[tokio::test]
async fn a_task_that_ecs_has_forgotten_is_a_system_failure() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.task_visibility", "500ms");
    let job = site.prepared().await;
    let mut running = job.start_run("echo up; exec sleep 1000");
    running.wrote("up").await;
    assert!(site.cloud().forget(&site.task_of(&job).arn));
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    let line = ended.error_line();
    assert!(
        line.starts_with("fargate-runner: error: the connection to the task was lost"),
        "{line}"
    );
    site.close().await;
}

#[tokio::test]
async fn where_ecs_cannot_be_asked_it_is_a_system_failure() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.stop_reason", "500ms");
    site.set("defaults.timeouts.reconnect", "1s");
    let job = site.prepared().await;
    let mut running = job.start_run("echo up; exec sleep 1000");
    running.wrote("up").await;
    let denied = fargate_local_cloud::CloudFault::Exception {
        status: 400,
        code: "AccessDeniedException".to_owned(),
        message: "not authorized to perform: ecs:DescribeTasks".to_owned(),
    };
    site.cloud().fail_until_cleared("DescribeTasks", denied);
    let arn = site.task_of(&job).arn;
    let (code, reason) = scenes::OUT_OF_MEMORY;
    site.cloud().stop_task_from_outside(&arn, code, reason);
    let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
    let line = ended.error_line();
    assert!(
        line.starts_with("fargate-runner: error: the connection to the task was lost"),
        "{line}"
    );
    assert_eq!(job.exit_code(), None);
    site.close().await;
}

#[tokio::test]
async fn a_task_that_nobody_talks_to_ends_itself() {
    let site = CheckedHost::open().await;
    site.set("defaults.timeouts.task_idle", "3s");
    site.set("defaults.timeouts.ssh_handshake", "3s");
    let job = site.prepared().await;
    until("the task ended itself", || site.cloud().live_tasks() == 0).await;
    let task = site.task_of(&job);
    assert_eq!(task.containers[0].exit_code, Some(70));
    assert_eq!(site.calls("StopTask"), 0);
    let line = job.run("echo never").await.with_code(SYSTEM_FAILURE).error_line();
    let expected = "fargate-runner: error: no client connected to the task for too long";
    assert!(line.starts_with(expected), "{line}");
    site.close().await;
}

#[tokio::test]
async fn a_task_ends_itself_at_its_maximum_lifetime_whatever_runs_in_it() {
    let site = CheckedHost::open().await;
    scenes::a_task_reaches_its_maximum_lifetime(&site).await;
    assert_eq!(site.cloud().tasks()[0].containers[0].exit_code, Some(71));
    site.close().await;
}
