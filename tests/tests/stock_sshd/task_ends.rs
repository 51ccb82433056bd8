//! Tasks with a stock server that end from outside, by their own watchdog, or by their own job:
//! whom the verdict blames.

use fargate_tests::{
    BUILD_FAILURE, PATIENCE, SYSTEM_FAILURE, SshdSetup, mark, process, scenes, until,
};

use crate::{prepared_on, site_with};

#[tokio::test]
async fn out_of_memory_is_the_job_s_failure_with_137() {
    for server in [SshdSetup::open_ssh(), SshdSetup::dropbear()] {
        let Some((site, job)) = prepared_on(&server).await else { return };
        let stop = scenes::OUT_OF_MEMORY;
        let line = scenes::stopped_while_running(&site, &job, BUILD_FAILURE, stop).await;
        let expected = "fargate-runner: error: out of memory (limit 2 GB) (ECS: \"Essential \
                        container in task exited\"). Give the job a larger task (cause: out-of-memory)";
        assert_eq!(line, expected);
        assert_eq!(job.exit_code().as_deref(), Some("137\n"));
        site.close().await;
    }
}

#[tokio::test]
async fn spot_a_person_and_a_lost_host_are_system_failures() {
    for (stop, cause) in scenes::TAKEN_AWAY {
        for server in [SshdSetup::open_ssh(), SshdSetup::dropbear()] {
            let Some((site, job)) = prepared_on(&server).await else { return };
            scenes::taken_away(&site, &job, stop, cause).await;
            site.close().await;
        }
    }
}

#[tokio::test]
async fn a_script_that_leaves_with_0_because_its_task_ends_has_not_passed() {
    for server in [SshdSetup::open_ssh(), SshdSetup::dropbear()] {
        for server in [server.clone(), server.passing_term_on()] {
            let Some((site, job)) = prepared_on(&server).await else { return };
            let script = "trap 'echo saving; exit 0' TERM; echo begin; sleep 60 & wait; echo end";
            let mut running = job.start_run(script);
            running.wrote("begin").await;
            let arn = site.task_of(&job).arn;
            let spot = ("SpotInterruption", "Your Spot Task was interrupted.");
            assert!(site.cloud().stop_task_from_outside(&arn, spot.0, spot.1));
            let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
            let line = ended.error_line();
            let told = "fargate-runner: error: AWS took the Spot task back";
            assert!(line.starts_with(told), "{line}");
            assert_eq!(job.exit_code(), None);
            site.close().await;
        }
    }
}

/// The driver asks the server whether it is still there, and needs no call of AWS for that.
#[tokio::test]
async fn a_script_that_ends_asks_only_its_server() {
    for server in [SshdSetup::open_ssh(), SshdSetup::dropbear()] {
        let Some((site, job)) = prepared_on(&server).await else { return };
        let asked = site.cloud().requests().len();
        job.run("exit 0").await.passed();
        job.run("exit 9").await.with_code(BUILD_FAILURE);
        job.run("kill -9 $$").await.with_code(BUILD_FAILURE);
        assert_eq!(site.cloud().requests().len(), asked);
        site.close().await;
    }
}

#[tokio::test]
async fn what_a_script_has_left_behind_to_end_the_task_fails_the_job_with_the_next_one() {
    let Some((site, job)) = prepared_on(&SshdSetup::open_ssh()).await else { return };
    let script = "(setsid sh -c 'sleep 0.5; kill -TERM 1' >/dev/null 2>&1 </dev/null &); exit 0";
    job.run(script).await.passed();
    until("the task stopped", || site.task_of(&job).last_status == "STOPPED").await;
    let ended = job.run("echo never").await.with_code(BUILD_FAILURE);
    let line = ended.error_line();
    let expected = "fargate-runner: error: the job ended its own environment";
    assert!(line.starts_with(expected), "{line}");
    assert_eq!(job.exit_code().as_deref(), Some("1\n"));
    site.close().await;
}

#[tokio::test]
async fn a_job_that_ends_pid_1_is_to_blame_for_it() {
    let Some((site, job)) = prepared_on(&SshdSetup::open_ssh()).await else { return };
    // The server dies with PID 1, and with it what it had not yet passed on.
    let ended = job.run("echo up; kill 1; sleep 30").await.with_code(BUILD_FAILURE);
    assert!("up\n".starts_with(&ended.out()), "{}", ended.out());
    let line = ended.error_line();
    let expected = "fargate-runner: error: the job ended its own environment";
    assert!(line.starts_with(expected), "{line}");
    // The server ends well when it is told to end, and 0 would say that the script passed.
    assert_eq!(job.exit_code().as_deref(), Some("1\n"));
    site.close().await;
}

#[tokio::test]
async fn a_job_that_ends_its_own_connection_is_a_system_failure() {
    // Then nobody knows how the script ends, and the task still runs.
    let Some((site, job)) = prepared_on(&SshdSetup::open_ssh()).await else { return };
    site.set("defaults.timeouts.stop_reason", "500ms");
    let ended = job.run("echo up; kill -KILL $PPID; sleep 30").await.with_code(SYSTEM_FAILURE);
    assert!("up\n".starts_with(&ended.out()), "{}", ended.out());
    let line = ended.error_line();
    let expected = "fargate-runner: error: the connection to the task was lost";
    assert!(line.starts_with(expected), "{line}");
    assert_eq!(job.exit_code(), None);
    assert_eq!(job.run("echo on").await.with_code(0).out(), "on\n");
    site.close().await;
}

#[tokio::test]
async fn a_server_that_falls_silent_is_noticed_and_its_script_is_ended_by_the_next_stage() {
    let Some(site) = site_with(&SshdSetup::open_ssh()).await else { return };
    site.set("defaults.timeouts.keepalive_interval", "1s");
    site.set("defaults.timeouts.stop_reason", "500ms");
    let job = site.prepared().await;
    let silent = mark("silent");
    let script = format!("kill -STOP $PPID; exec -a {silent} sleep 1000");
    let ended = job.run(script).await.with_code(SYSTEM_FAILURE);
    assert!(ended.took < PATIENCE, "{:?}", ended.took);
    let line = ended.error_line();
    let expected = "fargate-runner: error: the connection to the task was lost";
    assert!(line.starts_with(expected), "{line}");
    assert!(process(&silent).is_some(), "it was begun");
    assert_eq!(job.run("echo on").await.with_code(0).out(), "on\n");
    assert_eq!(process(&silent), None);
    site.close().await;
}

#[tokio::test]
async fn a_task_ends_itself_at_its_maximum_lifetime_whatever_runs_in_it() {
    for server in [SshdSetup::open_ssh(), SshdSetup::dropbear()] {
        let Some(site) = site_with(&server).await else { return };
        scenes::a_task_reaches_its_maximum_lifetime(&site).await;
        site.close().await;
    }
}

#[tokio::test]
async fn a_task_that_nobody_talks_to_ends_itself() {
    let Some(site) = site_with(&SshdSetup::open_ssh()).await else { return };
    site.set("defaults.timeouts.task_idle", "3s");
    site.set("defaults.timeouts.ssh_handshake", "3s");
    let job = site.prepared().await;
    until("the task ended itself", || site.cloud().live_tasks() == 0).await;
    assert_eq!(site.calls("StopTask"), 0);
    job.run("echo never").await.with_code(SYSTEM_FAILURE);
    assert_eq!(job.exit_code(), None);
    site.close().await;
}

#[tokio::test]
async fn a_script_that_runs_longer_than_a_task_may_be_idle_is_let_be() {
    let Some(site) = site_with(&SshdSetup::open_ssh()).await else { return };
    site.set("defaults.timeouts.task_idle", "2s");
    site.set("defaults.timeouts.ssh_handshake", "2s");
    let job = site.prepared().await;
    let ended = job.run("sleep 6; echo done").await.with_code(0);
    assert_eq!((ended.out().as_str(), ended.err().as_str()), ("done\n", ""));
    site.close().await;
}

#[tokio::test]
async fn the_watchdog_holds_no_session_open() {
    for (server, name) in
        [(SshdSetup::open_ssh(), "sshd: "), (SshdSetup::dropbear(), "/usr/sbin/dropbear")]
    {
        let Some((site, job)) = prepared_on(&server).await else { return };
        // Of the servers in the task one listens and one serves this script.
        let script = "for one in /proc/[0-9]*; do tr '\\0' ' ' <$one/cmdline; echo; done";
        let sessions = || async {
            let ended = job.run(script).await.with_code(0);
            ended.out().lines().filter(|line| line.starts_with(name)).count()
        };
        let mut counts = Vec::new();
        // The process of a session that has just ended may still be there.
        while counts.last() != Some(&2) && counts.len() < 50 {
            counts.push(sessions().await);
        }
        assert_eq!(counts.last(), Some(&2), "{counts:?}");
        site.close().await;
    }
}

#[tokio::test]
async fn a_user_that_is_not_root_gets_no_watchdog_and_works_all_the_same() {
    let Some(site) = site_with(&SshdSetup::open_ssh().login("ci", "/bin/bash")).await else {
        return;
    };
    site.set("defaults.timeouts.task_idle", "1s");
    let job = site.prepared().await;
    let name = mark("keeper");
    let ended = job.run(format!("exec -a {name} sleep 4")).await.with_code(0);
    assert_eq!(ended.all(), "");
    assert_eq!(site.cloud().live_tasks(), 1);
    site.close().await;
}
