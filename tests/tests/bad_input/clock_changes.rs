//! The clock of a host is set ten minutes forward or back while a job runs.

use std::ffi::OsStr;

use fargate_tests::{
    BUILD_FAILURE, CheckedHost, MovedClock, SYSTEM_FAILURE, TestJob, TestProcessResult, until,
};
use nix::sys::signal::Signal;
use serde_json::Value;

async fn reap(clock: &MovedClock, site: &CheckedHost, job: &TestJob) -> Value {
    let config = site.config();
    let words = [OsStr::new("-c"), config.as_os_str(), OsStr::new("tasks"), OsStr::new("reap")];
    let ended: TestProcessResult = job.heard(clock.start(job, &words)).await.with_code(0);
    serde_json::from_slice(&ended.stdout).expect("a document")
}

#[tokio::test]
async fn set_by_ten_minutes_in_mid_job_it_ends_no_wait_and_no_task() {
    for [offset, back] in [["+10m", "-10m"], ["-10m", "+10m"]] {
        let site = CheckedHost::open().await;
        let Some(clock) = MovedClock::time_of_day(&site) else { return site.close().await };
        site.set("defaults.timeouts.orphan_recheck", "20ms");
        // Less than the clock is set by.
        for key in ["prepare", "task_start", "agent_start", "task_visibility"] {
            site.set(&format!("defaults.timeouts.{key}"), "3m");
        }
        // What does not show yet has to be asked for again and again.
        site.cloud().set_faults("DescribeTasks: lag 1h".parse().expect("a rule"));
        let job = site.job();
        let preparing = clock.stage(&job, &[OsStr::new("prepare")]);
        until("ECS was asked", || site.calls("DescribeTasks") > 1).await;
        clock.set(offset);
        let asked = site.calls("DescribeTasks");
        until("ECS was asked on", || site.calls("DescribeTasks") > asked + 3).await;
        site.cloud().clear_faults();
        job.heard(preparing).await.with_code(0);
        assert_eq!(site.tasks_of(&job).len(), 1);

        // A reaper with a wrong clock leaves a live job alone, and its script goes on.
        let mut running =
            clock.run(&job, "trap 'echo told; exit 3' TERM; echo up; sleep 1000 & wait");
        running.wrote("up").await;
        clock.set(back);
        let seen = reap(&clock, &site, &job).await;
        assert_eq!(seen["needed"], 1, "{seen}");
        assert_eq!(seen["orphans"], serde_json::json!([]), "{seen}");
        clock.set(offset);
        let seen = reap(&clock, &site, &job).await;
        assert_eq!((&seen["needed"], site.calls("StopTask")), (&Value::from(1), 0), "{seen}");
        assert!(running.runs(), "the script was ended");
        running.signal(Signal::SIGTERM);
        let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
        assert_eq!((ended.out(), ended.err()), ("up\ntold\n".into(), String::new()));
        let ended = job.heard(clock.run(&job, "echo next; exit 7")).await;
        assert_eq!((ended.code, ended.out()), (BUILD_FAILURE, "next\n".into()), "{}", ended.err());
        assert_eq!(job.exit_code().as_deref(), Some("7\n"));

        // A verdict that needs ECS is the same, asked with the wrong time.
        let mut running = clock.run(&job, "echo up; exec sleep 1000");
        running.wrote("up").await;
        clock.set(back);
        let (code, reason) = ("SpotInterruption", "Your Spot Task was interrupted.");
        let arn = site.task_of(&job).arn;
        assert!(site.cloud().stop_task_from_outside(&arn, code, reason));
        let ended = job.heard(running).await.with_code(SYSTEM_FAILURE);
        let line = ended.error_line();
        let told = "fargate-runner: error: AWS took the Spot task back";
        assert!(line.starts_with(told), "{line}");
        let ended = job.heard(clock.stage(&job, &[OsStr::new("cleanup")])).await.with_code(0);
        assert_eq!(ended.all(), "");
        site.close().await;
    }
}

/// A live job is no orphan because the clock of its host is set by days: ECS's own clock must say as well that its
/// task is older than it may be.
#[tokio::test]
async fn set_by_days_it_ends_no_live_job_and_a_dead_one_only_once_ecs_says_so() {
    let site = CheckedHost::open().await;
    let Some(clock) = MovedClock::time_of_day(&site) else { return site.close().await };
    site.set("defaults.timeouts.orphan_recheck", "20ms");
    let job = site.prepared().await;
    for offset in ["+3d", "+400d", "-3d", "+0"] {
        clock.set(offset);
        let seen = reap(&clock, &site, &job).await;
        assert_eq!(
            (&seen["needed"], &seen["orphans"]),
            (&1.into(), &serde_json::json!([])),
            "{offset}: {seen}"
        );
    }
    job.run("echo still here").await.passed();
    // A job that began while the clock was days behind: its deadline seems to be over long ago.
    let begun_behind = site.job();
    clock.set("-3d");
    begun_behind.heard(clock.stage(&begun_behind, &[OsStr::new("prepare")])).await.with_code(0);
    clock.set("+0");
    let seen = reap(&clock, &site, &job).await;
    assert_eq!((&seen["needed"], &seen["orphans"]), (&2.into(), &serde_json::json!([])), "{seen}");
    begun_behind.run("echo still here").await.passed();
    begun_behind.cleanup().await.passed();
    // ECS says that the task is old, this host's clock does not; then both do.
    site.cloud().advance(std::time::Duration::from_hours(3));
    let seen = reap(&clock, &site, &job).await;
    assert_eq!(seen["needed"], 1, "{seen}");
    clock.set("+3h");
    job.note_key();
    let seen = reap(&clock, &site, &job).await;
    assert_eq!(seen["orphans"][0]["reason"], "overdue", "{seen}");
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");
    site.close().await;
}
