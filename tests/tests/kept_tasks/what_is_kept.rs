//! Which jobs have their task kept, and what the job's log and the lists say of it.

use fargate_tests::{BUILD_FAILURE, PipeReading, SYSTEM_FAILURE, SshdSetup, redacted};
use nix::sys::signal::Signal;

use crate::{command, keep_until, kept, name_of, orphans, prepared, reap, site};

#[tokio::test]
async fn the_log_of_a_failed_job_says_until_when_and_a_person_finds_the_task() {
    let site = site().await;
    let job = prepared(&site, "10m").await;
    let name = name_of(&job);
    let ended = job.run("echo work; exit 3").await.with_code(BUILD_FAILURE);
    let line = ended.err();
    assert!(
        line.starts_with("fargate-runner: the task of this failed job is kept until "),
        "{line}"
    );
    assert!(line.contains(" UTC (10m 00s), without its file variables and tokens"), "{line}");
    assert!(line.contains("`fargate-runner jobs shell gl-4000`"), "{line}");
    assert!(line.contains("`fargate-runner jobs release gl-4000`"), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    // What follows a failure in gitlab-runner changes nothing.
    for stage in ["after_script", "upload_artifacts_on_failure", "cleanup_file_variables"] {
        job.heard(job.start_stage(stage, "true", PipeReading::Always)).await.passed();
    }
    for _ in 0..2 {
        let cleaned = job.cleanup().await.with_code(0);
        assert_eq!((cleaned.out(), cleaned.err()), (String::new(), String::new()));
    }
    let until = keep_until(&job).expect("kept");
    let tag = site.task_of(&job).tags.get("fargate-runner:deadline").cloned();
    assert_eq!(tag, Some(until.to_string()), "other hosts go by the tag");
    assert_eq!(site.calls("StopTask"), 0);

    let listed = command(&site, &["jobs", "list", "--format", "table"], 0).await.out();
    assert!(listed.contains("kept until ") && listed.contains(" left)"), "{listed}");
    let shown = command(&site, &["jobs", "show", &name, "--format", "json"], 0).await.out();
    assert!(shown.contains(r#""state": "kept""#), "{shown}");
    let words = ["jobs", "shell", &name, "--", "sh", "-c", "echo looked"];
    assert_eq!(command(&site, &words, 0).await.out(), "looked\n");
    // A script of the job would find it, but it is not the job's any more.
    job.run("true").await.with_code(SYSTEM_FAILURE);

    let swept = reap(&site).await;
    assert!(orphans(&swept).is_empty(), "{swept}");
    assert_eq!(
        (&swept["kept"][0]["job"], &swept["kept"][0]["keep_until"]),
        (&name.into(), &until.into())
    );
    let drained = command(&site, &["drain"], 0).await.err();
    assert!(drained.contains("the task of the failed job gl-4000 is kept until "), "{drained}");
    command(&site, &["resume"], 0).await;
    command(&site, &["jobs", "release", "gl-4000"], 0).await;
    site.close().await;
}

#[tokio::test]
async fn a_job_that_passed_or_passed_at_a_later_try_or_was_cancelled_keeps_nothing() {
    let site = site().await;
    let passed = prepared(&site, "10m").await;
    passed.run("true").await.passed();
    let after_script = passed.start_stage("after_script", "exit 1", PipeReading::Always);
    passed.heard(after_script).await.with_code(BUILD_FAILURE);

    let tried_again = prepared(&site, "10m").await;
    for (script, code) in [("exit 1", BUILD_FAILURE), ("true", 0)] {
        let sources = tried_again.start_stage("get_sources", script, PipeReading::Always);
        tried_again.heard(sources).await.with_code(code);
    }

    let cancelled = prepared(&site, "10m").await;
    cancelled.run("exit 1").await.with_code(BUILD_FAILURE);
    let mut running =
        cancelled.start_stage("after_script", "echo up; sleep 1000", PipeReading::Always);
    running.wrote("up").await;
    running.signal(Signal::SIGTERM);
    cancelled.heard(running).await.with_code(SYSTEM_FAILURE);

    let silent = site.prepared().await;
    silent.run("exit 1").await.with_code(BUILD_FAILURE);
    for job in [passed, tried_again, cancelled, silent] {
        job.cleanup().await.passed();
        assert!(!job.state_file().exists() && job.tombstone().exists());
    }
    site.close().await;
}

#[tokio::test]
async fn a_system_failure_keeps_nothing() {
    let site = site().await;
    let job = prepared(&site, "10m").await;
    job.change_state(|state| state["address"] = "127.0.0.1:1".into());
    site.set("defaults.timeouts.reconnect", "1s");
    job.run("exit 1").await.with_code(SYSTEM_FAILURE);
    job.cleanup().await.passed();
    assert!(!job.state_file().exists());
    site.close().await;
}

#[tokio::test]
async fn a_person_asks_for_a_running_job_and_what_a_job_asked_is_changed() {
    let site = site().await;
    let job = site.prepared().await;
    let name = name_of(&job);
    let said = command(&site, &["jobs", "hold", &name], 0).await.err();
    insta::assert_snapshot!(said.trim_end(), @"if job gl-4000 fails, its task is kept for 30m 00s after the failure");
    let said = command(&site, &["jobs", "hold", &name, "--for", "5m"], 0).await.err();
    insta::assert_snapshot!(said.trim_end(), @"if job gl-4000 fails, its task is kept for 5m 00s after the failure");
    let line = job.run("exit 1").await.with_code(BUILD_FAILURE).err();
    assert!(line.contains(" UTC (5m 00s)"), "{line}");
    job.cleanup().await.passed();
    assert!(keep_until(&job).is_some());
    let said = command(&site, &["jobs", "release", &name], 0).await.err();
    insta::assert_snapshot!(said.trim_end(), @"the task of job gl-4000 is being stopped");
    assert!(!job.state_file().exists());
    site.close().await;
}

#[tokio::test]
async fn a_new_start_of_the_job_stops_the_kept_task_and_waits_for_nobody() {
    let site = site().await;
    let job = kept(&site, "10m").await;
    job.prepare().await.passed();
    let tasks = site.tasks_of(&job);
    let desired: Vec<_> = tasks.iter().map(|task| task.desired_status.as_str()).collect();
    assert_eq!(desired, ["STOPPED", "RUNNING"]);
    job.run("true").await.passed();
    site.close().await;
}

#[tokio::test]
async fn a_stock_server_is_never_kept_and_the_log_says_so_at_the_start() {
    if !SshdSetup::can_run() {
        return;
    }
    let site = site().await;
    SshdSetup::open_ssh().serve(&site).await;
    let job = site.job_with(|job| job.set("CUSTOM_ENV_FARGATE_HOLD", "10m"));
    let log = job.prepare().await.with_code(0).out();
    let warned = log.lines().find(|line| line.contains("FARGATE_HOLD")).expect("a line");
    assert!(redacted(warned).contains("cannot wipe a task: only a fargate-agent"), "{warned}");
    job.run("exit 1").await.with_code(BUILD_FAILURE);
    job.cleanup().await.passed();
    assert!(!job.state_file().exists());
    site.close().await;
}
