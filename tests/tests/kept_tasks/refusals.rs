//! Where no task is kept, and what a person or a job is told: one clear sentence each.

use fargate_tests::{BUILD_FAILURE, CheckedHost, redacted};

use crate::{command, kept, name_of, prepared, site};

async fn refused(site: &CheckedHost, words: &[&str]) -> String {
    let ended = command(site, words, 1).await;
    assert_eq!(ended.out(), "");
    redacted(&ended.error_line())
}

/// The line of `prepare` about the time that a job asks for.
async fn warned(site: &CheckedHost, hold: &str) -> String {
    let job = site.job_with(|job| job.set("CUSTOM_ENV_FARGATE_HOLD", hold));
    let log = job.prepare().await.with_code(0).out();
    job.run("exit 1").await.with_code(BUILD_FAILURE);
    job.cleanup().await.passed();
    assert!(!job.state_file().exists(), "kept");
    log.lines().find(|line| line.contains("FARGATE_HOLD")).expect("a line").to_owned()
}

#[tokio::test]
async fn a_job_that_asks_for_too_much_runs_with_one_line() {
    let site = site().await;
    insta::assert_snapshot!(warned(&site, "31m").await, @r#"Warning: FARGATE_HOLD "31m" is ignored: `job_max_hold` in the runner's configuration allows at most 30m"#);
    insta::assert_snapshot!(warned(&site, "for ever").await, @r#"Warning: FARGATE_HOLD "for ever" is ignored: a time of at least 1s is expected, such as `30m`"#);
    site.close().await;
    let site = CheckedHost::open().await;
    insta::assert_snapshot!(warned(&site, "1m").await, @r#"Warning: FARGATE_HOLD "1m" is ignored: `job_max_hold` is not set in the runner's configuration, so no task of a failed job is kept"#);
    site.close().await;
}

#[tokio::test]
async fn without_the_right_to_tag_the_log_says_so_and_the_task_is_stopped() {
    let site = site().await;
    let job = prepared(&site, "10m").await;
    site.cloud().deny("ecs:TagResource");
    let line = job.run("exit 1").await.with_code(BUILD_FAILURE).err();
    insta::assert_snapshot!(line.trim_end(), @"fargate-runner: the task of this job is not kept: the role of this host may not ecs:TagResource, so no other host would leave it alone");
    // The log said it, so a right that is given now changes nothing for this job.
    site.cloud().allow("ecs:TagResource");
    job.cleanup().await.passed();
    assert!(!job.state_file().exists());
    assert_eq!(site.task_of(&job).desired_status, "STOPPED");

    let late = site.prepared().await;
    late.run("exit 1").await.with_code(BUILD_FAILURE);
    command(&site, &["jobs", "hold", &name_of(&late)], 0).await;
    site.cloud().deny("ecs:TagResource");
    late.cleanup().await.passed();
    assert!(!late.state_file().exists());
    assert!(site.log().contains("task.not_kept"), "{}", site.log());
    site.close().await;
}

#[tokio::test]
async fn what_a_person_cannot_have_is_one_sentence() {
    let site = site().await;
    let job = site.prepared().await;
    let name = name_of(&job);
    insta::assert_snapshot!(refused(&site, &["jobs", "hold", "gl-4999"]).await, @"error: no job gl-4999 on this host; did you mean gl-4000?");
    insta::assert_snapshot!(refused(&site, &["jobs", "hold", &name, "--for", "31m"]).await, @"error: the task of gl-4000 is not kept: `job_max_hold` in the runner's configuration allows at most 30m");
    insta::assert_snapshot!(refused(&site, &["jobs", "hold", &name, "--for", "0s"]).await, @"error: the task of gl-4000 is not kept: a time of at least 1s is expected, such as `30m`");
    insta::assert_snapshot!(refused(&site, &["jobs", "release", &name]).await, @"error: job gl-4000 still runs: only a task that is kept can be released");
    let untouched = job.state().expect("a record");
    job.change_state(|state| state["can_keep"] = false.into());
    insta::assert_snapshot!(refused(&site, &["jobs", "hold", &name]).await, @"error: the task of gl-4000 cannot be kept: its server cannot wipe secrets; only a fargate-agent of this version that is process 1 of its container can");
    job.change_state(|state| *state = untouched.clone());
    job.change_state(|state| state["owner"] = "another-host".into());
    let other = refused(&site, &["jobs", "hold", &name]).await;
    assert!(
        other.starts_with("error: the task of job gl-4000 belongs to host another-host"),
        "{other}"
    );
    job.change_state(|state| *state = untouched.clone());
    job.cleanup().await.passed();
    insta::assert_snapshot!(refused(&site, &["jobs", "hold", &name]).await, @"error: job gl-4000 is over: it was cleaned up, and its task is stopped");
    insta::assert_snapshot!(refused(&site, &["jobs", "release", &name]).await, @"error: no task of job gl-4000 is kept");

    let kept = kept(&site, "10m").await;
    let name = name_of(&kept);
    let said = refused(&site, &["jobs", "hold", &name, "--for", "20m"]).await;
    assert!(said.starts_with("error: job gl-4001 is over, and its task is kept until "), "{said}");
    command(&site, &["jobs", "release", &name], 0).await;
    site.close().await;
}
